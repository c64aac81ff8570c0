//! `firstcome serve`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use firstcome_core::ports::RoleName;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{CommandError, account, import};
use crate::accept::{self, AcceptOptions};
use crate::cli::ServeArguments;
use crate::config::{Config, Mode, load};
use crate::folder::Folder;
use crate::lifecycle::{Workers, stop_requested};
use crate::telemetry;
use crate::wire::{Service, Shop};

/// Runs the shop until it is stopped.
pub fn run(arguments: &ServeArguments) -> Result<(), CommandError> {
    let config = load(arguments.config.as_deref(), &arguments.overrides())?;
    telemetry::begin(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(&config));
    // Threads that wait for a disk are not waited for any longer than this.
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}

async fn serve(config: &Config) -> Result<(), CommandError> {
    let folder = Folder::create(&config.server.data)?;
    let _lock = folder.lock()?;
    folder.check_complete()?;
    let embedded = config.mode()? == Mode::Embedded;
    let demo = embedded && config.server.demo && config.development() && (folder.is_new() || folder.demo_is_pending());
    let listener = TcpListener::bind(config.server.listen).await.map_err(|error| {
        CommandError::Broken(format!("cannot listen on {}: {error}; choose another --listen", config.server.listen))
    })?;
    let address = listener.local_addr()?;
    if demo {
        // Whoever dies from here on until the demo is on sale begins again: everything in it is taken once.
        folder.begin_demo()?;
    }
    let mut shop = Shop::open(config, &folder, address).await?;
    if embedded {
        folder.note_complete()?;
    }
    if let Some(catalog) = shop.catalog.as_ref().filter(|_| demo) {
        import::demo(catalog).await?;
        account::demo(&folder).await?;
        folder.end_demo()?;
    }

    let stop = CancellationToken::new();
    let mut workers = Workers::new(stop.clone());
    for worker in std::mem::take(&mut shop.workers) {
        workers.start(worker);
    }
    let draining = CancellationToken::new();
    let accepting = accept(listener, shop.service.clone(), accept_options(config), draining.clone());
    // Whether anyone reads it or not, the shop is open.
    let _ = greet(config, address, demo || account::is_demo(&folder));

    let outcome = tokio::select! {
        () = stop_requested() => Ok(()),
        fatal = workers.unexpected_end() => Err(fatal),
        fatal = shop.failed() => Err(fatal),
    };
    if outcome.is_ok() {
        tracing::info!("stopping: requests under way are finished first");
        shop.farewell().await;
    }
    draining.cancel();
    if outcome.is_ok() {
        let _ = accepting.await;
    }
    stop.cancel();
    shop.close().await;
    workers.finish().await;
    outcome.map_err(|fatal| CommandError::Broken(fatal.to_string()))
}

fn accept(listener: TcpListener, service: Service, options: AcceptOptions, stop: CancellationToken) -> JoinHandle<()> {
    match service {
        Service::Whole(front) => tokio::spawn(accept::serve(listener, front, options, stop)),
        Service::Part(part) => tokio::spawn(accept::serve(listener, part, options, stop)),
    }
}

fn accept_options(config: &Config) -> AcceptOptions {
    AcceptOptions {
        max_connections: config.server.max_connections,
        header_timeout: Duration::from_secs(config.server.header_seconds),
        drain: Duration::from_secs(config.server.drain_seconds),
    }
}

/// Says where to look and who can log in.
fn greet(config: &Config, address: SocketAddr, demo: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if let Ok(Mode::Cluster(roles)) = config.mode() {
        let roles: Vec<_> = roles.into_iter().map(RoleName::as_str).collect();
        writeln!(out, "Firstcome {} runs {} at http://{address}", env!("CARGO_PKG_VERSION"), roles.join(", "))?;
        return out.flush();
    }
    writeln!(out, "Firstcome {} is open.", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  shop      http://{address}/")?;
    writeln!(out, "  admin     http://{address}/admin")?;
    writeln!(out, "  API       http://{address}/docs")?;
    if config.has_mailbox() {
        writeln!(out, "  mailbox   http://{address}/dev/mailbox")?;
    }
    writeln!(out, "  data      {}", config.server.data.display())?;
    if demo {
        writeln!(out, "Log in as:")?;
        for (role, email) in account::DEMO {
            writeln!(out, "  {role:<9} {email}  (password: {})", account::DEMO_PASSWORD)?;
        }
        writeln!(out, "  or sign up as a new buyer; the code arrives in the mailbox above.")?;
    } else {
        writeln!(
            out,
            "Give someone a role: firstcome account add --role seller --email you@example.com --password-stdin"
        )?;
    }
    writeln!(out, "Ctrl-C stops it.")?;
    out.flush()
}
