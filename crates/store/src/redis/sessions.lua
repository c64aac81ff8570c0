#!lua name=firstcome_sessions_1

-- Sessions that ended in the last minutes, so that every gateway knows within moments. The accounts' database is the
-- truth, and their topic tells it too: what is lost here is only learned a little later.
--
-- KEYS[1]  ended sessions by the microsecond in which that was marked (a sorted set)

local KEPT = 600 * 1000000
-- Two marks can become visible in another order than their times when a copy of Redis takes over.
local AGAIN = 2 * 1000000

local function microseconds()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- ARGV: the session with the end of its tokens.
local function mark(keys, args)
    local now = microseconds()
    redis.call('ZREMRANGEBYSCORE', keys[1], '-inf', now - KEPT)
    redis.call('ZADD', keys[1], now, args[1])
    return redis.status_reply('OK')
end

-- ARGV: the moment to begin after. Returns the moment of now, and the sessions.
local function marked(keys, args)
    local ended = redis.call('ZRANGEBYSCORE', keys[1], tonumber(args[1]) - AGAIN, '+inf')
    return { string.format('%.0f', microseconds()), ended }
end

redis.register_function('firstcome_end_session_1', mark)
redis.register_function('firstcome_ended_sessions_1', marked)
