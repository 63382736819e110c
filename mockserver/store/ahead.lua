-- Adds a response for the next requests, and returns 1; 0 if there are too many.
-- KEYS: next. ARGV: the response, most of them, age of a session in milliseconds.
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
