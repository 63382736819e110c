-- Frees the name of a response that is still to be made by the exchange with a number.
-- KEYS: values, order. ARGV: name, number.
local value = redis.call('HGET', KEYS[1], ARGV[1])
if value and string.match(value, '^%d+ (%d+)$') == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('LREM', KEYS[2], -1, ARGV[1])
end
return 0
