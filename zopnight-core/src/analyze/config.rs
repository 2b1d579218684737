//! Budgets of one analysis.

/// How much of a tree one analysis may look at. The defaults suit any repository; what a budget cuts off makes the answer
/// `complete: false`, never an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnalyzeConfig {
    /// Rounds of fetching after the root was listed; 3.
    pub max_rounds: u32,
    /// Files read; 200.
    pub max_files: usize,
    /// Bytes read; 4 MiB.
    pub max_total_bytes: u64,
    /// Largest manifest, configuration file or Dockerfile, in bytes; 512 KiB.
    pub max_file_bytes: u64,
    /// Largest source file, in bytes; 256 KiB.
    pub max_source_bytes: u64,
    /// Directories listed; 400.
    pub max_dirs: usize,
    /// Entries of one directory that are used; 20,000.
    pub max_entries_per_dir: usize,
    /// Depth below the app root; 6.
    pub max_depth: usize,
    /// Lines of evidence in the answer; 64.
    pub max_evidence: usize,
    /// Diagnostics in the answer; 64.
    pub max_diagnostics: usize,
    /// Candidates in the answer; 32.
    pub max_candidates: usize,
}

impl Default for AnalyzeConfig {
    fn default() -> Self {
        Self {
            max_rounds: 3,
            max_files: 200,
            max_total_bytes: 4 * 1024 * 1024,
            max_file_bytes: 512 * 1024,
            max_source_bytes: 256 * 1024,
            max_dirs: 400,
            max_entries_per_dir: 20_000,
            max_depth: 6,
            max_evidence: 64,
            max_diagnostics: 64,
            max_candidates: 32,
        }
    }
}

macro_rules! knobs {
    ($($(#[$doc:meta])* $with:ident: $field:ident, $type:ty;)*) => {
        impl AnalyzeConfig {$(
            $(#[$doc])*
            #[must_use]
            pub fn $with(mut self, value: $type) -> Self {
                self.$field = value;
                self
            }
        )*}
    };
}

knobs! {
    /// With this many rounds.
    with_max_rounds: max_rounds, u32;
    /// With this many files read.
    with_max_files: max_files, usize;
    /// With this many bytes read.
    with_max_total_bytes: max_total_bytes, u64;
    /// With manifests of at most this many bytes.
    with_max_file_bytes: max_file_bytes, u64;
    /// With sources of at most this many bytes.
    with_max_source_bytes: max_source_bytes, u64;
    /// With this many directories listed.
    with_max_dirs: max_dirs, usize;
    /// With this many entries of a directory used.
    with_max_entries_per_dir: max_entries_per_dir, usize;
    /// Down to this depth.
    with_max_depth: max_depth, usize;
    /// With this many lines of evidence.
    with_max_evidence: max_evidence, usize;
    /// With this many diagnostics.
    with_max_diagnostics: max_diagnostics, usize;
    /// With this many candidates.
    with_max_candidates: max_candidates, usize;
}
