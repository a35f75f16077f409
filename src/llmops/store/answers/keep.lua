-- Keep answers.
--
-- KEYS   1 how long answers are kept at most (ms); from 2 on the answers
-- ARGV   1 of the server's memory, the share (percent) beyond which nothing is kept; 0: it is not looked at now
--        from 2 on, for each answer: value, ms until it expires
-- answer 1: kept; 0: there is too little memory

local call, pcall = redis.call, redis.pcall

local share = tonumber(ARGV[1])
if share > 0 then
  local info = pcall('INFO', 'memory')
  if type(info) == 'string' then
    local used = tonumber(string.match(info, 'used_memory:(%d+)'))
    local most = tonumber(string.match(info, 'maxmemory:(%d+)'))
    if used and most and most > 0 and used > most * share / 100 then return 0 end
  end
end

local longest, known = 0, pcall('GET', KEYS[1])
for i = 3, #ARGV, 2 do
  longest = math.max(longest, tonumber(ARGV[i]))
end
if type(known) ~= 'string' or longest > (tonumber(known) or 0) then
  call('SET', KEYS[1], string.format('%.0f', longest))  -- before any answer: words are remembered by it
end
for i = 2, #KEYS do
  call('SET', KEYS[i], ARGV[2 * i - 2], 'PX', ARGV[2 * i - 1])
end
return 1
