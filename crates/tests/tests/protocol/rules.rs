//! The rules of the protocol. Each can be taken out, to show what it prevents.

/// How a reader decides whether a record counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Acceptance {
    /// `prev` is the hash of the last record that counted.
    Hash,
    /// Only `first_seq` is looked at.
    Number,
    /// Every record counts.
    Everything,
}

/// How a reader notices that the log was cut behind its back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CutCheck {
    /// The last entry that it read is still there: the same entry of the same leader's term.
    Place,
    /// An entry with the same hash is there.
    Hash,
    /// It does not look.
    None,
}

#[expect(clippy::struct_excessive_bools, reason = "a rule is on or off, each by itself")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Readers look at `prev`.
    pub(super) acceptance: Acceptance,
    /// An answer waits until its record was read back.
    pub(super) read_back: bool,
    /// An answer waits until its record was acknowledged by enough replicas.
    pub(super) acknowledged: bool,
    /// What was acknowledged is the very copy that was read, not a later one of the same record.
    pub(super) same_copy: bool,
    /// An outcome without an event waits for a barrier and is decided again there.
    pub(super) barrier: bool,
    /// So does the refusal of a hold: the order may be one that was granted elsewhere.
    pub(super) refusals_wait: bool,
    /// The barrier was sent after the command arrived.
    pub(super) fresh_barrier: bool,
    /// What a barrier answers is decided on the state at the barrier, not on one that has read further since.
    pub(super) decided_at_barrier: bool,
    /// The archive keeps state and position in one commit.
    pub(super) one_commit: bool,
    /// A lost race is undone and its commands are decided again.
    pub(super) undo: bool,
    /// A lane decides nothing while a record of its own is under way.
    pub(super) one_in_flight: bool,
    /// A reader that resumes or reads on looks whether the log was cut.
    pub(super) cut_check: CutCheck,
    /// A hold that is found to be late is released in the journal before anyone is told so.
    pub(super) lateness_is_written: bool,
    /// A hold is late when its deadline has passed by every clock, of which one may be a moment behind.
    pub(super) lateness_is_sure: bool,
}

/// All of them.
pub(super) const ALL: Rules = Rules {
    acceptance: Acceptance::Hash,
    read_back: true,
    acknowledged: true,
    same_copy: true,
    barrier: true,
    refusals_wait: true,
    fresh_barrier: true,
    decided_at_barrier: true,
    one_commit: true,
    undo: true,
    one_in_flight: true,
    cut_check: CutCheck::Place,
    lateness_is_written: true,
    lateness_is_sure: true,
};

impl Rules {
    /// What has passed, for a lane at this moment. (No hold ends at 0.)
    pub(super) fn passed(&self, now: super::ledger::Moment) -> super::ledger::Moment {
        if self.lateness_is_sure { now.saturating_sub(1) } else { now }
    }
}

/// Where the model ends: what clients ask, and how much may go wrong.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) name: &'static str,
    pub(super) sale: super::ledger::Sale,
    /// Each is called once, at any time, at any lane; a repetition is listed twice.
    pub(super) commands: Vec<super::ledger::Command>,
    pub(super) lanes: usize,
    /// Commands that a lane decides together.
    pub(super) batch: usize,
    /// Entries in the log.
    pub(super) log: usize,
    /// The last moment that a lane's clock may show. It is never more than one ahead of another's.
    pub(super) clock: u8,
    /// Readers may see what only one replica has.
    pub(super) lonely: bool,
    pub(super) failovers: u8,
    pub(super) crashes: u8,
    /// Appends whose fate a lane does not wait for.
    pub(super) give_ups: u8,
    /// Messages that land in the log twice.
    pub(super) duplicates: u8,
    /// What the exploration has to come to.
    pub(super) reached: Vec<&'static str>,
}
