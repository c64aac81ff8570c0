//! Log-outs on Redis (see `sessions.lua`).

use async_trait::async_trait;
use firstcome_core::ids::SessionId;
use firstcome_core::ports::{PortError, SessionMarks};
use firstcome_core::time::Time;

use super::{Library, Redis};

const LIBRARY: Library = Library { source: include_str!("sessions.lua") };

/// The sessions of one shop that ended lately.
#[derive(Clone)]
pub struct RedisSessions(pub Redis);

impl RedisSessions {
    fn call(&self, function: &str) -> redis::Cmd {
        LIBRARY.call(function, &[&self.0.key("sessions", "ended")])
    }
}

#[async_trait]
impl SessionMarks for RedisSessions {
    async fn mark(&self, session: SessionId, tokens_until: Time) -> Result<(), PortError> {
        let mut call = self.call("firstcome_end_session_1");
        call.arg(format!("{session} {}", tokens_until.0));
        self.0.call::<redis::Value>(&LIBRARY, &call).await.map(|_| ())
    }

    async fn marked(&self, after: i64) -> Result<(Vec<(SessionId, Time)>, i64), PortError> {
        let mut call = self.call("firstcome_ended_sessions_1");
        call.arg(after);
        let (now, ended): (String, Vec<String>) = self.0.call(&LIBRARY, &call).await?;
        let sessions = ended.iter().filter_map(|text| {
            let (session, until) = text.split_once(' ')?;
            Some((session.parse().ok()?, Time(until.parse().ok()?)))
        });
        let now = now.parse().map_err(|_| PortError::Corrupt("Redis: a moment that is none".to_owned()))?;
        Ok((sessions.collect(), now))
    }
}
