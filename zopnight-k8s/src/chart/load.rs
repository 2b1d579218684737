//! Reads the files of a chart, within bounds.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use zopnight_core::{Error, ErrorKind, Result};

use super::invalid;

const MAX_FILES: usize = 200;
const MAX_FILE: u64 = 1 << 20;
const MAX_TOTAL: usize = 4 << 20;
const MAX_CHART_YAML: usize = 64 << 10;
const MAX_DEPTH: usize = 16;

/// The files of a chart by their path inside it, `/` between components.
#[derive(Debug, Default)]
pub(crate) struct Files {
    files: BTreeMap<String, Vec<u8>>,
    embedded: bool,
}

macro_rules! embed {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../chart/", $path)))),*]
    };
}

/// The service chart.
pub(crate) fn embedded() -> Files {
    let files = embed![
        "Chart.yaml",
        "values.yaml",
        "values.schema.json",
        "templates/_helpers.tpl",
        "templates/serviceaccount.yaml",
        "templates/configmap.yaml",
        "templates/service.yaml",
        "templates/deployment.yaml",
        "templates/hpa.yaml",
        "templates/ingress.yaml",
        "templates/pdb.yaml",
        "templates/NOTES.txt",
    ];
    let files = files.into_iter().map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())).collect();
    Files { files, embedded: true }
}

/// A chart folder.
pub(crate) fn directory(root: &Path) -> Result<Files> {
    let metadata = fs::symlink_metadata(root).map_err(|e| unreadable(".", e))?;
    if !metadata.is_dir() {
        return Err(invalid("a chart must be a directory"));
    }
    let mut files = Files::default();
    walk(root, "", 0, &mut files)?;
    if files.bytes("Chart.yaml").is_some_and(|f| f.len() > MAX_CHART_YAML) {
        return Err(invalid("Chart.yaml is larger than 64 KiB"));
    }
    Ok(files)
}

fn unreadable(path: &str, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, super::OPERATION, format!("cannot read {path} of the chart")).with_source(error)
}

fn walk(folder: &Path, prefix: &str, depth: usize, files: &mut Files) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(invalid(format!("{prefix}: more than {MAX_DEPTH} folders deep")));
    }
    let entries = fs::read_dir(folder).map_err(|e| unreadable(prefix, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| unreadable(prefix, e))?;
        let name =
            entry.file_name().into_string().map_err(|_| invalid(format!("{prefix}: a file name that is no UTF-8")))?;
        if name.contains(['\\', '\0']) {
            return Err(invalid(format!("{prefix}{}: a file name with a backslash", name.escape_debug())));
        }
        let path = [prefix, &name].concat();
        // The entry's own type: a link is not followed.
        let kind = entry.file_type().map_err(|e| unreadable(&path, e))?;
        if kind.is_dir() {
            walk(&entry.path(), &[&path, "/"].concat(), depth.saturating_add(1), files)?;
        } else if kind.is_file() {
            files.add(path.clone(), read(&entry.path(), &path)?)?;
        } else {
            return Err(invalid(format!("{path}: only regular files may be in a chart")));
        }
    }
    Ok(())
}

fn read(file: &Path, path: &str) -> Result<Vec<u8>> {
    let file = fs::File::open(file).map_err(|e| unreadable(path, e))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| unreadable(path, e))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(invalid(format!("{path}: larger than 1 MiB")));
    }
    Ok(bytes)
}

impl Files {
    fn add(&mut self, path: String, bytes: Vec<u8>) -> Result<()> {
        self.files.insert(path, bytes);
        if self.files.len() > MAX_FILES {
            return Err(invalid(format!("more than {MAX_FILES} files")));
        }
        if self.files.values().map(Vec::len).sum::<usize>() > MAX_TOTAL {
            return Err(invalid("more than 4 MiB of files"));
        }
        Ok(())
    }

    /// The paths, sorted.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub(crate) fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    pub(crate) fn text(&self, path: &str) -> Result<Option<&str>> {
        let text = self.bytes(path).map(std::str::from_utf8).transpose();
        text.map_err(|_| invalid(format!("{path}: not UTF-8")))
    }

    pub(crate) const fn is_embedded(&self) -> bool {
        self.embedded
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(p, t)| ((*p).to_owned(), t.as_bytes().to_vec())).collect();
        Self { files, embedded: false }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Chart, ChartSource};
    use super::*;

    fn folder(files: &[(&str, usize)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("Chart.yaml"), "apiVersion: v2\nname: c\nversion: 1.0.0\n").unwrap();
        fs::create_dir(root.path().join("templates")).unwrap();
        for (path, size) in files {
            fs::write(root.path().join(path), vec![b'#'; *size]).unwrap();
        }
        root
    }

    fn load(root: &tempfile::TempDir) -> Result<std::sync::Arc<Chart>> {
        Chart::load(&ChartSource::Directory(root.path().to_owned()))
    }

    #[test]
    fn a_folder_is_read_within_its_bounds() {
        assert_eq!(load(&folder(&[("templates/a.yaml", 1 << 20)])).unwrap().name(), "c");
        assert!(load(&folder(&[("templates/a.yaml", (1 << 20) + 1)])).unwrap_err().message().contains("1 MiB"));
        let many: Vec<String> = (0..200).map(|n| format!("templates/{n}.yaml")).collect();
        let many: Vec<(&str, usize)> = many.iter().map(|n| (n.as_str(), 1)).collect();
        assert!(load(&folder(&many)).unwrap_err().message().contains("200 files"));
        let large: Vec<String> = (0..5).map(|n| format!("{n}.bin")).collect();
        let large: Vec<(&str, usize)> = large.iter().map(|n| (n.as_str(), 1 << 20)).collect();
        assert!(load(&folder(&large)).unwrap_err().message().contains("4 MiB"));
        assert!(load(&folder(&[("Chart.yaml", (64 << 10) + 1)])).unwrap_err().message().contains("64 KiB"));
        let absent = ChartSource::Directory("/nonexistent/chart".into());
        assert_eq!(Chart::load(&absent).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let root = folder(&[]);
        std::os::unix::fs::symlink("/etc/hostname", root.path().join("templates/link.yaml")).unwrap();
        assert!(load(&root).unwrap_err().message().contains("only regular files"));
        let folder_link = folder(&[]);
        std::os::unix::fs::symlink("/etc", folder_link.path().join("etc")).unwrap();
        assert!(load(&folder_link).unwrap_err().message().contains("only regular files"));
    }

    #[test]
    fn the_embedded_chart_is_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("chart");
        let (read, built_in) = (directory(&folder).unwrap(), embedded());
        assert_eq!(read.files, built_in.files);
        Chart::load(&ChartSource::Embedded).unwrap();
    }
}
