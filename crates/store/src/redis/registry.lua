#!lua name=firstcome_registry_1

-- Which processes are there. Each announces itself again and again; who is silent is forgotten. Emptied, it is full again
-- after one heartbeat of everyone.
--
-- KEYS[1]  until when each instance is listed, in milliseconds of this server's clock (a sorted set)
-- KEYS[2]  what each said of itself (a hash)

local function now()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function forget_silent(keys, moment)
    for _, gone in ipairs(redis.call('ZRANGEBYSCORE', keys[1], '-inf', moment)) do
        redis.call('ZREM', keys[1], gone)
        redis.call('HDEL', keys[2], gone)
    end
end

-- ARGV: the instance, what it says of itself, and for how many milliseconds that holds.
local function announce(keys, args)
    local moment = now()
    forget_silent(keys, moment)
    redis.call('ZADD', keys[1], moment + tonumber(args[3]), args[1])
    redis.call('HSET', keys[2], args[1], args[2])
    return redis.status_reply('OK')
end

-- ARGV: the instance.
local function withdraw(keys, args)
    redis.call('ZREM', keys[1], args[1])
    redis.call('HDEL', keys[2], args[1])
    return redis.status_reply('OK')
end

-- Returns what every instance that is alive said of itself.
local function list(keys)
    forget_silent(keys, now())
    return redis.call('HVALS', keys[2])
end

redis.register_function('firstcome_announce_1', announce)
redis.register_function('firstcome_withdraw_1', withdraw)
redis.register_function('firstcome_instances_1', list)
