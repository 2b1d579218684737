//! How a deployment is reached from outside.

use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use tokio::time::timeout;

use super::auth::{Caller, OfDeployment};
use super::dto::event::LoadBalancerDto;
use super::envelope::data;
use super::error::ApiResult;
use super::state::App;
use crate::error::Error;

/// How long the cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(9);

pub(super) async fn load_balancer(
    State(app): State<App>,
    caller: Caller,
    OfDeployment(id): OfDeployment,
) -> ApiResult<impl IntoResponse> {
    let found = timeout(PATIENCE, app.pipeline.load_balancer(&caller.org, id)).await;
    let status = found.map_err(|_| Error::unavailable("http.loadbalancer", "the cluster did not answer in time"))??;
    Ok(data(LoadBalancerDto::from(status)))
}
