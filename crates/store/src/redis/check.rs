//! Whether a Redis is fit for a shop, for whoever runs it.

use firstcome_core::ports::PortError;

use super::Redis;
use super::registry::RedisRegistry;
use crate::check::CheckLine;

/// The first version with functions.
const VERSION: u32 = 7;

/// Looks at Redis; loads the functions of the registry, as every process does.
pub async fn check(redis: &Redis) -> Vec<CheckLine> {
    let server = match info(redis, "server").await {
        Ok(server) => server,
        Err(error) => {
            let found = error.to_string();
            // What answers has an opinion; what does not may be back in a moment, and everyone can do without meanwhile.
            return vec![if redis.is_reachable().await {
                let advice =
                    "see that user and password in redis.servers are right, and that redis.cluster says what it is";
                CheckLine::fail("Redis: reachable", found, advice)
            } else {
                CheckLine::down("Redis: reachable", found, "start Redis, and see that redis.servers names it")
            }];
        }
    };
    let version = field(&server, "redis_version").unwrap_or("unknown");
    let mut lines = vec![CheckLine::ok("Redis: reachable", field(&server, "redis_mode").unwrap_or("yes"))];
    lines.push(version_line(version));
    lines.push(match info(redis, "memory").await {
        Ok(memory) => eviction(field(&memory, "maxmemory_policy").unwrap_or("unknown")),
        Err(error) => CheckLine::warn("Redis: maxmemory-policy", error.to_string(), "let the user run INFO"),
    });
    lines.push(match RedisRegistry::new(redis.clone(), std::time::Duration::from_secs(1)).prepare().await {
        Ok(()) => CheckLine::ok("Redis: functions", "can be loaded"),
        Err(error) => CheckLine::fail("Redis: functions", error.to_string(), "let the user run FUNCTION and FCALL"),
    });
    lines
}

fn version_line(version: &str) -> CheckLine {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok()).unwrap_or_default();
    if major >= VERSION {
        CheckLine::ok("Redis: version", version)
    } else {
        CheckLine::fail("Redis: version", version, "use Redis 7.0 or newer: the shop's functions need it")
    }
}

fn eviction(policy: &str) -> CheckLine {
    let what = "Redis: maxmemory-policy";
    match policy {
        "noeviction" => CheckLine::ok(what, policy),
        "unknown" => CheckLine::warn(what, policy, "make sure that it is noeviction"),
        _ => {
            let advice = "set it to noeviction: otherwise limits and signs of life vanish when memory is short, and nobody sees why";
            CheckLine::fail(what, policy, advice)
        }
    }
}

async fn info(redis: &Redis, section: &str) -> Result<String, PortError> {
    let mut command = redis::cmd("INFO");
    command.arg(section);
    redis.query_one(&command).await
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::CheckState;

    #[test]
    fn whatever_evicts_is_refused() {
        assert_eq!(eviction("noeviction").state, CheckState::Ok);
        assert_eq!(eviction("allkeys-lru").state, CheckState::Fail);
        assert_eq!(eviction("volatile-ttl").state, CheckState::Fail);
    }

    #[test]
    fn too_old_is_refused() {
        assert_eq!(version_line("7.0.15").state, CheckState::Ok);
        assert_eq!(version_line("10.1").state, CheckState::Ok);
        assert_eq!(version_line("6.2.14").state, CheckState::Fail);
        assert_eq!(version_line("unknown").state, CheckState::Fail);
    }

    #[test]
    fn reads_fields() {
        assert_eq!(field("# Server\r\nredis_version:7.0.15\r\n", "redis_version"), Some("7.0.15"));
        assert_eq!(field("# Server\r\n", "redis_version"), None);
    }
}
