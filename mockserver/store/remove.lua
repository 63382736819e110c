-- Removes entries of the journal, and returns how many were there.
-- KEYS: as in append.lua. ARGV: for each entry its id and size.
local removed = 0
for i = 1, #ARGV, 2 do
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
    removed = removed + 1
    local item = ARGV[i] .. ' ' .. ARGV[i + 1]
    if redis.call('LREM', KEYS[2], 1, item) == 0 then
      redis.call('LREM', KEYS[3], 1, item)
    end
    redis.call('HINCRBY', KEYS[4], 'bytes', -tonumber(ARGV[i + 1]))
  end
end
return removed
