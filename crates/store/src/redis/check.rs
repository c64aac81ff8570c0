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
            let advice = "start Redis, and see that the address, the user and the password are right";
            return vec![CheckLine::fail("Redis: reachable", error.to_string(), advice)];
        }
    };
    let version = field(&server, "redis_version").unwrap_or("unknown");
    let mut lines = vec![CheckLine::ok("Redis: reachable", field(&server, "redis_mode").unwrap_or("yes"))];
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok()).unwrap_or_default();
    lines.push(if major >= VERSION {
        CheckLine::ok("Redis: version", version)
    } else {
        CheckLine::fail("Redis: version", version, "use Redis 7.0 or newer: the shop's functions need it")
    });
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
    fn reads_fields() {
        assert_eq!(field("# Server\r\nredis_version:7.0.15\r\n", "redis_version"), Some("7.0.15"));
        assert_eq!(field("# Server\r\n", "redis_version"), None);
    }
}
