-- Keeps a response, or frees its name if the response is empty.
-- KEYS: values, order. ARGV: name, the response, age of a session in milliseconds, most bytes.
local values, order = KEYS[1], KEYS[2]
if ARGV[2] == '' then
  redis.call('HDEL', values, ARGV[1])
  redis.call('LREM', order, -1, ARGV[1])
  return 0
end
if redis.call('HSET', values, ARGV[1], '=' .. ARGV[2]) == 1 then
  redis.call('RPUSH', order, ARGV[1]) -- it was dropped, or the session reset, meanwhile
end
local kept = redis.call('HINCRBY', values, 'kept', #ARGV[2])
while kept > tonumber(ARGV[4]) and redis.call('LLEN', order) > 1 do
  local oldest = redis.call('LPOP', order)
  local value = redis.call('HGET', values, oldest)
  if value and string.sub(oldest, 1, 2) == 'r:' and string.sub(value, 1, 1) == '=' then
    kept = redis.call('HINCRBY', values, 'kept', 1 - #value)
  end
  redis.call('HDEL', values, oldest)
end
redis.call('PEXPIRE', values, ARGV[3])
redis.call('PEXPIRE', order, ARGV[3])
return 0
