-- What Memory.Decide does, for the session of KEYS.
-- KEYS: values, order, next, states. ARGV: milliseconds now, ownResponse (1 or 0), age of a
-- session and of a pending response in milliseconds, most values, the steps as JSON.
-- Returns the number, the next response or false, and the matches.
local values, order, ahead, states = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, stale, most = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[5])

local number = redis.call('HINCRBY', values, 'number', 1)

local function done(next, matches)
  for _, key in ipairs(KEYS) do
    redis.call('PEXPIRE', key, ARGV[3])
  end
  return {number, next, matches}
end

if ARGV[2] == '0' then
  local first = redis.call('LINDEX', ahead, 0)
  if first then
    local times, response = string.match(first, '^(%d+)\n(.*)$')
    if tonumber(times) > 1 then
      redis.call('LSET', ahead, 0, (tonumber(times) - 1) .. '\n' .. response)
    else
      redis.call('LPOP', ahead)
    end
    return done(response, {})
  end
end

-- Forgets the oldest value, and the bytes of the response that it may be.
local function drop()
  local oldest = redis.call('LPOP', order)
  local kept = redis.call('HGET', values, oldest)
  if kept and string.sub(oldest, 1, 2) == 'r:' and string.sub(kept, 1, 1) == '=' then
    redis.call('HINCRBY', values, 'kept', 1 - #kept)
  end
  redis.call('HDEL', values, oldest)
end

-- A new value takes the place of the oldest when there are many.
local function value(name)
  local v = redis.call('HGET', values, name)
  if not v and redis.call('RPUSH', order, name) > most then
    drop()
  end
  return v
end

local function take(step)
  for name, want in pairs(step.requires or {}) do
    if (redis.call('HGET', states, name) or 'Started') ~= want then
      return nil
    end
  end
  local match = {0, 0, 0, false, 0}
  if step.counter then
    value('c:' .. step.counter)
    local call = redis.call('HINCRBY', values, 'c:' .. step.counter, 1)
    local every = math.max(step.calls.every, 1)
    local first = step.calls.first
    if first == 0 then
      first = every
    end
    if call < first or (step.calls.last > 0 and call > step.calls.last) or (call - first) % every ~= 0 then
      return nil
    end
    match[2] = call
  end
  if step.bucket then
    local before = value('q:' .. step.bucket)
    local interval = step.quota.interval / 1e6
    local tokens, filled = step.quota.burst, now
    if before then
      local t, f = string.match(before, '^(%S+) (%S+)$')
      filled = math.max(now, tonumber(f))
      tokens = math.min(step.quota.burst, tonumber(t) + (filled - tonumber(f)) / interval)
    end
    local enough = tokens >= 1
    if enough then
      tokens = tokens - 1
    end
    redis.call('HSET', values, 'q:' .. step.bucket, string.format('%.9f %.3f', tokens, filled))
    if enough then
      return nil
    end
    match[3] = math.ceil((1 - tokens) * interval)
  end
  if step.keep then
    local name = 'r:' .. step.keep
    local kept = value(name)
    if kept and string.sub(kept, 1, 1) == '=' then
      match[4] = string.sub(kept, 2)
    elseif kept and now - tonumber(string.match(kept, '^%d+')) < stale then
      match[5] = 1
    else
      redis.call('HSET', values, name, ARGV[1] .. ' ' .. number)
    end
  end
  return match
end

local matches = {}
for i, step in ipairs(cjson.decode(ARGV[6])) do
  local match = take(step)
  if match then
    match[1] = i - 1
    matches[#matches + 1] = match
    for name, to in pairs(step.sets or {}) do
      redis.call('HSET', states, name, to)
    end
    if not step.continue or match[4] or match[5] == 1 then
      break
    end
  end
end
return done(false, matches)
