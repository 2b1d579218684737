//! Events, logs, addresses.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Address, Event, EventData, HttpsUrl, LoadBalancerStatus, LogSource, LogTail, Timestamp};
use crate::http::openapi::words;

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(in crate::http) struct EventDto {
    seq: u64,
    #[schema(schema_with = words::time)]
    at: Timestamp,
    kind: &'static str,
    #[serde(rename = "revisionID")]
    revision_id: Option<String>,
    actor: ActorDto,
    message: String,
    #[schema(value_type = Object)]
    data: EventData,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Actor)]
struct ActorDto {
    #[schema(schema_with = words::actor)]
    kind: &'static str,
    id: String,
}

impl From<Event> for EventDto {
    fn from(event: Event) -> Self {
        Self {
            seq: event.seq,
            at: event.at,
            kind: event.kind.as_str(),
            revision_id: event.revision.map(|id| id.to_string()),
            actor: ActorDto { kind: event.actor.kind().as_str(), id: event.actor.id().to_owned() },
            message: event.message,
            data: event.data,
        }
    }
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Log)]
pub(in crate::http) struct LogDto {
    #[schema(schema_with = words::log_source)]
    source: &'static str,
    lines: Vec<String>,
    truncated: bool,
    complete: bool,
    #[schema(value_type = Option<String>)]
    log_tail_url: Option<HttpsUrl>,
}

impl LogDto {
    /// The last `tail` lines.
    pub(in crate::http) fn of(source: LogSource, log: LogTail, tail: usize, url: Option<HttpsUrl>) -> Self {
        let mut log = LogTail::bounded(log.lines, log.truncated, log.complete);
        let over = log.lines.len().saturating_sub(tail);
        Self {
            source: source.as_str(),
            lines: log.lines.split_off(over),
            truncated: log.truncated || over > 0,
            complete: log.complete,
            log_tail_url: url,
        }
    }
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = LoadBalancer)]
pub(in crate::http) struct LoadBalancerDto {
    #[schema(schema_with = words::exposed)]
    r#type: &'static str,
    addresses: Vec<AddressDto>,
    ports: Vec<u16>,
    ready: bool,
    urls: Vec<String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Address)]
struct AddressDto {
    hostname: Option<String>,
    ip: Option<String>,
}

impl From<LoadBalancerStatus> for LoadBalancerDto {
    fn from(status: LoadBalancerStatus) -> Self {
        let address = |a: &Address| match a {
            Address::Ip(ip) => AddressDto { hostname: None, ip: Some(ip.to_string()) },
            Address::Hostname(name) => AddressDto { hostname: Some(name.clone()), ip: None },
        };
        Self {
            r#type: status.exposed.as_str(),
            addresses: status.addresses.iter().map(address).collect(),
            ports: status.ports.iter().map(|p| p.get()).collect(),
            ready: !status.addresses.is_empty(),
            urls: status.urls,
        }
    }
}
