//! What every role is made of: routes and workers.

use std::future::Future;
use std::pin::Pin;

use firstcome_core::lag::Lag;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::letters::Letters;

/// Why a worker ended before it was asked to. The process ends with it: a role without its worker would look alive.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WorkerFailed(pub String);

type Running = Pin<Box<dyn Future<Output = Result<(), WorkerFailed>> + Send>>;

/// A task that runs as long as its role.
pub struct Worker {
    /// For logs and for the message when it ends unexpectedly.
    pub name: &'static str,
    /// How far behind it is, if it handles what others have written.
    pub lag: Option<Lag>,
    start: Box<dyn FnOnce(CancellationToken) -> Running + Send>,
}

impl Worker {
    /// A worker that runs until `run`'s future ends; it must end soon after the token is cancelled, leaving nothing
    /// half done that a restart would not finish.
    pub fn new<F, R>(name: &'static str, run: F) -> Self
    where
        F: FnOnce(CancellationToken) -> R + Send + 'static,
        R: Future<Output = Result<(), WorkerFailed>> + Send + 'static,
    {
        Self { name, lag: None, start: Box::new(move |stop| Box::pin(run(stop))) }
    }

    /// The worker, which says how far behind it is.
    #[must_use]
    pub fn behind(self, lag: Lag) -> Self {
        Self { lag: Some(lag), ..self }
    }

    /// Begins the work.
    pub fn start(self, stop: CancellationToken) -> Running {
        (self.start)(stop)
    }
}

/// A part of the shop, ready to be served and run.
pub struct Role {
    /// Its name, as `--roles` takes it.
    pub name: &'static str,
    /// Its routes with their full paths and their OpenAPI descriptions.
    pub router: OpenApiRouter,
    /// Its tasks.
    pub workers: Vec<Worker>,
    /// What its consumers could not handle; none for a role without any.
    pub letters: Option<Letters>,
}
