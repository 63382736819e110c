-- What Journal.Append does, for a stream of entries.
-- KEYS: stream, ids of ordinary entries, ids of the others, numbers, the writer's last batch.
-- ARGV: most entries, most bytes, age of the journal in milliseconds, number of the batch, age of
-- the writer in milliseconds, then for each entry whether it is ordinary (1 or 0), its size, and itself.
local stream, ordinary, other, numbers = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local most, mostBytes = tonumber(ARGV[1]), tonumber(ARGV[2])
if redis.call('GET', KEYS[5]) == ARGV[4] then
  return 0 -- its reply was lost
end
redis.call('SET', KEYS[5], ARGV[4], 'PX', ARGV[5])
local a, b = redis.call('LLEN', ordinary), redis.call('LLEN', other)
for i = 6, #ARGV, 3 do
  local id = redis.call('XADD', stream, '*', 'size', ARGV[i + 1], 'entry', ARGV[i + 2])
  local item = id .. ' ' .. ARGV[i + 1]
  if ARGV[i] == '1' then
    a = redis.call('RPUSH', ordinary, item)
  else
    b = redis.call('RPUSH', other, item)
  end
  local bytes = redis.call('HINCRBY', numbers, 'bytes', ARGV[i + 1])
  while a + b > 1 and (a + b > most or bytes > mostBytes) do
    local list = ordinary
    if a <= math.floor((a + b) / 4) then
      list = other
      b = b - 1
    else
      a = a - 1
    end
    local oldest, size = string.match(redis.call('LPOP', list), '^(%S+) (%S+)$')
    redis.call('XDEL', stream, oldest)
    bytes = redis.call('HINCRBY', numbers, 'bytes', -tonumber(size))
    redis.call('HINCRBY', numbers, 'dropped', 1)
  end
end
for _, key in ipairs({stream, ordinary, other, numbers}) do
  redis.call('PEXPIRE', key, ARGV[3])
end
return 0
