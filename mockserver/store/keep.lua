-- Keeps a response.
-- KEYS: values, order. ARGV: name, the response, age of a session in milliseconds, most bytes.
local values, order = KEYS[1], KEYS[2]

-- The bytes of a value that is a kept response; 0 for another.
local function size(name, value)
  if value and string.sub(name, 1, 2) == 'r:' and string.sub(value, 1, 1) == '=' then
    return #value - 1
  end
  return 0
end

local before = size(ARGV[1], redis.call('HGET', values, ARGV[1]))
if redis.call('HSET', values, ARGV[1], '=' .. ARGV[2]) == 1 then
  redis.call('RPUSH', order, ARGV[1]) -- it was dropped, or the session reset, meanwhile
end
local kept = redis.call('HINCRBY', values, 'kept', #ARGV[2] - before)
if kept > tonumber(ARGV[4]) then
  for _, name in ipairs(redis.call('LRANGE', order, 0, -1)) do
    local bytes = size(name, redis.call('HGET', values, name))
    if bytes > 0 and name ~= ARGV[1] then
      kept = redis.call('HINCRBY', values, 'kept', -bytes)
      redis.call('HDEL', values, name)
      redis.call('LREM', order, 1, name)
    end
    if kept <= tonumber(ARGV[4]) then
      break
    end
  end
end
redis.call('PEXPIRE', values, ARGV[3])
redis.call('PEXPIRE', order, ARGV[3])
return 0
