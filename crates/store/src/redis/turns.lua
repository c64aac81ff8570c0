#!lua name=firstcome_turns_1

-- Lanes of several processes that decide about the same offer take turns here, so that they seldom race.
-- This is advice: the journal alone decides whose record counts, so nothing here has to be true or to last.
--
-- KEYS[1]  the lane whose turn it is; expires, so that a lane that died does not keep it
-- KEYS[2]  lanes that wait, by the microsecond since when (a sorted set)
-- KEYS[3]  lanes that wait, by the microsecond in which they last asked; one that no longer asks is passed over

local function microseconds()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function forget(keys, lane)
    redis.call('ZREM', keys[2], lane)
    redis.call('ZREM', keys[3], lane)
end

-- ARGV: the lane, how long its turn may last and how long one that waits may be silent, both in milliseconds.
-- Returns 0 if it is the lane's turn, otherwise how many lanes are before it.
local function take(keys, args)
    local lane, lasts, silent = args[1], tonumber(args[2]), tonumber(args[3])
    local now = microseconds()
    for _, gone in ipairs(redis.call('ZRANGEBYSCORE', keys[3], '-inf', now - silent * 1000)) do
        forget(keys, gone)
    end
    local holder = redis.call('GET', keys[1])
    local first = redis.call('ZRANGE', keys[2], 0, 0)[1]
    if holder == lane or (not holder and (not first or first == lane)) then
        forget(keys, lane)
        redis.call('SET', keys[1], lane, 'PX', lasts)
        return 0
    end
    redis.call('ZADD', keys[2], 'NX', now, lane)
    redis.call('ZADD', keys[3], now, lane)
    -- Whatever is left behind when everyone dies goes by itself.
    redis.call('PEXPIRE', keys[2], silent * 10)
    redis.call('PEXPIRE', keys[3], silent * 10)
    return redis.call('ZRANK', keys[2], lane) + (holder and 1 or 0)
end

-- ARGV: the lane. Ends its turn, if it is its turn. Returns how many lanes wait.
local function give(keys, args)
    if redis.call('GET', keys[1]) == args[1] then
        redis.call('DEL', keys[1])
    end
    return redis.call('ZCARD', keys[2])
end

redis.register_function('firstcome_take_turn_1', take)
redis.register_function('firstcome_give_turn_1', give)
