//! The course of a storm: opens the floor and the shop, measures, audits, closes. What it has found out is there at any moment, so that it
//! can be shown however the storm ends.

use std::path::PathBuf;
use std::time::Duration;

use super::arguments::LoadOptions;
use super::books::{self, Books};
use super::machine::{self, Machine};
use super::measure::Stage;
use super::progress::Progress;
use super::report::{Check, Report};
use super::server::Server;
use super::shop::{self, Shop};
use super::{StormError, child};

/// How long the floor may take until it listens.
const FLOOR: Duration = Duration::from_secs(30);

/// A storm under way.
pub(crate) struct Course<'a> {
    options: &'a LoadOptions,
    progress: &'a Progress,
    floor: Option<Server>,
    shop: Option<Shop>,
    report: Report,
}

impl<'a> Course<'a> {
    /// A storm that has not begun.
    pub(crate) fn new(options: &'a LoadOptions, progress: &'a Progress) -> Self {
        let report = Report {
            machine: Machine::here(None),
            debug_build: cfg!(debug_assertions),
            connections: options.plan.connections,
            arrivals_per_second: options.plan.rate,
            rounds: options.rounds,
            rows: Vec::new(),
            books: None,
            checks: Vec::new(),
            audited: false,
            idle_bytes: None,
            peak_bytes: None,
            kept: Vec::new(),
            stopped: None,
            passed: false,
        };
        Self { options, progress, floor: None, shop: None, report }
    }

    /// From the opening to the audit.
    pub(crate) async fn run(&mut self) -> Result<(), StormError> {
        self.progress.keep_moving();
        self.progress.begin("opening the floor");
        self.floor = Some(Server::start(&["storm", "--floor-server"], FLOOR).await?);
        match self.options.books {
            None => {
                self.open(self.options.data.clone()).await?;
                self.measure(None).await?;
                self.close("").await
            }
            Some(orders) => self.compare_books(orders).await,
        }
    }

    /// The same scenarios on empty books and on full ones.
    async fn compare_books(&mut self, orders: u64) -> Result<(), StormError> {
        // Before minutes are spent on the first of them.
        if let Some(folder) = &self.options.data {
            shop::empty_folder(folder)?;
        }
        let folder = |name: &str| self.options.data.as_ref().map(|folder| folder.join(name));
        let (empty, full) = (folder("empty"), folder("full"));
        self.open(empty).await?;
        self.measure(None).await?;
        self.close(", empty books").await?;
        self.open(full).await?;
        if let Some(shop) = &mut self.shop {
            self.report.books = Some(Books::fill(shop, orders, self.progress).await?);
        }
        if let (Some(shop), Some(books)) = (&mut self.shop, &mut self.report.books) {
            books.start(shop, self.progress).await?;
        }
        self.measure(Some(orders)).await?;
        if let Some(books) = &mut self.report.books {
            books.ratios = books::ratios(&self.report.rows);
        }
        self.close(", full books").await
    }

    async fn open(&mut self, data: Option<PathBuf>) -> Result<(), StormError> {
        self.progress.begin("opening the shop");
        let shop = Shop::open(self.options, data.as_deref()).await?;
        self.report.machine = Machine::here(shop.data());
        self.report.idle_bytes = self.report.idle_bytes.or(shop.idle);
        self.shop = Some(shop);
        Ok(())
    }

    async fn measure(&mut self, books: Option<u64>) -> Result<(), StormError> {
        let (Some(shop), Some(floor)) = (&mut self.shop, &self.floor) else { return Ok(()) };
        for scenario in &self.options.scenarios {
            let stage = Stage { shop, floor, options: self.options, progress: self.progress, books };
            let done = stage.perform(*scenario, &mut self.report.rows, &mut self.report.checks).await;
            let peak = shop.pid().and_then(machine::memory).map(|memory| memory.peak);
            self.report.peak_bytes = self.report.peak_bytes.max(peak);
            // A shop that has died says more than the connections that broke.
            shop.check().await?;
            done?;
        }
        Ok(())
    }

    /// Has the books read back, and stops the shop.
    async fn close(&mut self, which: &str) -> Result<(), StormError> {
        let Some(mut shop) = self.shop.take() else { return Ok(()) };
        self.progress.begin("audit");
        let audited = audit(&shop, which).await?;
        self.report.audited = audited.is_some();
        self.report.checks.extend(audited);
        self.progress.begin("closing the shop");
        if let Err(error) = shop.close().await {
            let what = format!("the shop stops in order{which}");
            self.report.checks.push(Check { what, holds: false, detail: error.to_string() });
        }
        if self.report.checks.iter().any(|check| !check.holds) {
            self.report.kept.extend(shop.keep());
        }
        Ok(())
    }

    /// Ends everything that still runs, and gives what was found out.
    pub(crate) fn end(self, why: Option<&StormError>) -> Report {
        let Self { floor, mut shop, mut report, .. } = self;
        if why.is_some_and(|why| !matches!(why, StormError::Interrupted | StormError::Usage(_))) {
            report.kept.extend(shop.as_mut().and_then(Shop::keep));
        }
        drop((shop, floor));
        report.stopped = why.map(|why| why.to_string().lines().next().unwrap_or_default().to_owned());
        let holds = report.checks.iter().all(|check| check.holds);
        report.passed = why.is_none() && holds && report.rows.iter().all(|row| row.successes > 0);
        report
    }
}

/// Has the books read back, if it is known where they are.
async fn audit(shop: &Shop, which: &str) -> Result<Option<Check>, StormError> {
    let Some(data) = shop.data() else { return Ok(None) };
    let what = format!("firstcome audit{which}");
    let output = child::run(&["audit".as_ref(), "--data".as_ref(), data.as_os_str()], None).await?;
    let words = if output.status.success() { output.stdout } else { [output.stdout, output.stderr].concat() };
    let words = String::from_utf8_lossy(&words);
    let detail = if output.status.success() { words.lines().last().unwrap_or_default() } else { words.trim() };
    Ok(Some(Check { what, holds: output.status.success(), detail: detail.to_owned() }))
}
