#!lua name=firstcome_limits_1

-- Buckets of tokens that all gateways share. Each gateway grants from its own buckets at once, and tells here afterwards
-- what it granted; what comes back is for how long it should grant no more.
--
-- KEYS     one for each bucket: the microsecond at which it will be full again; gone when it is full
-- ARGV     for each: tokens taken, microseconds in which one comes back, tokens at the most
-- Returns for each for how many microseconds nothing more should be taken, as texts.

local function take(keys, args)
    local time = redis.call('TIME')
    local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
    local waits = {}
    for place, key in ipairs(keys) do
        local taken, each, most =
            tonumber(args[place * 3 - 2]), tonumber(args[place * 3 - 1]), tonumber(args[place * 3])
        local full = math.max(tonumber(redis.call('GET', key) or 0), now) + taken * each
        -- What was overdrawn is paid back, but never more than a bucket: nobody is locked out for long.
        full = math.min(full, now + 2 * most * each)
        redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
        waits[place] = string.format('%.0f', math.max(full - now - most * each, 0))
    end
    return waits
end

redis.register_function('firstcome_take_tokens_1', take)
