//! What the machine is and what processes cost it, as `/proc` tells.

use std::path::Path;

use serde::Serialize;

/// The machine, in so far as figures depend on it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// Cores that this process may use.
    pub(crate) cores: usize,
    /// What the processor calls itself.
    pub(crate) processor: String,
    /// The kernel's version.
    pub(crate) kernel: String,
    /// The kind of file system under the data.
    pub(crate) file_system: String,
}

impl Machine {
    /// This machine, with the data in this folder.
    pub(crate) fn here(data: Option<&Path>) -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let processor = model.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, name)| name);
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: processor.to_owned(),
            kernel: kernel.trim().to_owned(),
            file_system: data.and_then(file_system).unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}

/// The kind of file system that a folder is on.
pub(crate) fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let fields = |line: &str| -> Option<(String, String)> {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?.replace("\\040", " "), words.next()?.to_owned()))
    };
    // Of several that contain it, the longest; of several there, the last that was mounted.
    let mounts = mounts.lines().filter_map(fields).filter(|(at, _)| folder.starts_with(at));
    mounts.max_by_key(|(at, _)| at.len()).map(|(_, kind)| kind)
}

/// Whether data on this kind of file system is in memory only, where a sync costs nothing and keeps nothing.
pub(crate) fn is_memory(file_system: &str) -> bool {
    matches!(file_system, "tmpfs" | "ramfs")
}

/// Microseconds of processor time that a process has used; none when it cannot be known.
pub(crate) fn processor_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything; after it come state, then eleven other fields, then user and system time.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some((user + system) * 1_000_000 / rustix::param::clock_ticks_per_second())
}

/// Memory of a process.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Memory {
    /// Bytes in memory now.
    pub(crate) resident: u64,
    /// The most that were.
    pub(crate) peak: u64,
}

/// Memory of a process; none when it cannot be known.
pub(crate) fn memory(pid: u32) -> Option<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let bytes = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().split(' ').next()?.parse::<u64>().ok()? * 1024)
    };
    Some(Memory { resident: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_used_the_processor() {
        let pid = std::process::id();
        let memory = memory(pid).expect("proc");
        assert!(memory.peak >= memory.resident && memory.resident > 0);
        assert!(processor_time(pid).is_some());
        assert!(Machine::here(Some(Path::new("."))).cores > 0);
        assert_eq!(file_system(Path::new("/proc")).as_deref(), Some("proc"));
    }
}
