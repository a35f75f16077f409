-- Look-ups of answers, and words of invalidation, in one exchange.
--
-- KEYS   1 the newest word and the floor, "<number> <number>"; 2 the words: selector -> number; 3 how long answers are
--        kept at most (ms); from 4 on the answers that are looked for
-- ARGV   1 KEYS[1] as the caller knows it, "" where it knows nothing; 2 the longest value that is given out; 3 how much
--        is given out together; 4 how long a call may last (us); 5 a number that new words are above; from 6 on
--        selectors that are invalidated now
-- answer 1 for each answer its length (int32, little-endian; -1 there is none, -2 ask again: the others were too much),
--        then the values; where the caller's words are not the newest, 2 KEYS[1], 3 whether all words follow (1) or
--        those that it lacks (0), and from 4 on the words: selector, number, …
--
-- A number is the time in microseconds, and greater than every one before. A selector that is invalidated again moves
-- up. Forgotten are words that no answer can be older than; and the lowest, where there are too many: then everything
-- below is struck (the floor). All words follow where the caller's newest is not among them: it has moved up, or Redis
-- has lost it. Numbers are doubles here, exact up to 2^53.

local MOST_WORDS = 10000
local SPARE_WORDS = 1000

local call, pcall, format, match = redis.call, redis.pcall, string.format, string.match
local NEWEST, WORDS, LONGEST = KEYS[1], KEYS[2], KEYS[3]
local known, most, room = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

-- A replica may lag behind, so that only a primary will do: this is a write, and changes nothing.
call('PERSIST', NEWEST)

local function integer(number)
  return format('%.0f', number)
end

local function now_us()
  local time = call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local newest, floor
local said = pcall('GET', NEWEST)
if type(said) == 'string' then newest, floor = match(said, '^(%d+) (%d+)$') end
newest, floor = tonumber(newest), tonumber(floor)
local posts = #ARGV > 5
local mended = not newest

if mended or posts or said ~= known then
  local kind, last = call('TYPE', WORDS).ok, 0
  if kind == 'zset' then last = tonumber(call('ZREVRANGE', WORDS, 0, 0, 'WITHSCORES')[2]) end
  if kind ~= 'zset' and kind ~= 'none' or newest and newest > floor and newest ~= last then
    call('DEL', WORDS)  -- some were lost: nothing that is older can be trusted
    newest = math.max((newest or 0) + 1, now_us())
    floor, mended = newest, true
  elseif mended then
    newest, floor = last, 0
  end
end

if posts then
  local now = now_us()
  newest = math.max(newest + 1, now, tonumber(ARGV[5]) + 1)
  for i = 6, #ARGV do
    call('ZADD', WORDS, integer(newest), ARGV[i])
  end
  local longest = tonumber(pcall('GET', LONGEST)) or 0
  local old = '(' .. integer(now - longest * 1000 - tonumber(ARGV[4]))
  local last = call('ZREVRANGEBYSCORE', WORDS, old, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  if last then
    floor = math.max(floor, tonumber(last))
    call('ZREMRANGEBYSCORE', WORDS, '-inf', old)
  end
  local excess = call('ZCARD', WORDS) - MOST_WORDS
  if excess > 0 then
    excess = excess + SPARE_WORDS
    floor = math.max(floor, tonumber(call('ZRANGE', WORDS, excess - 1, excess - 1, 'WITHSCORES')[2]))
    call('ZREMRANGEBYSCORE', WORDS, '-inf', integer(floor))
  end
end

if mended or posts then
  said = integer(newest) .. ' ' .. integer(floor)
  call('SET', NEWEST, said)
end

local lengths, values, total = {}, {}, 0
for i = 4, #KEYS do
  local length = pcall('STRLEN', KEYS[i])
  if type(length) ~= 'number' or length == 0 or length > most then
    length = -1
  elseif total > 0 and total + length > room then
    length = -2
  else
    total = total + length
    values[#values + 1] = call('GET', KEYS[i])
  end
  lengths[#lengths + 1] = struct.pack('<i4', length)
end
local answer = { table.concat(lengths) .. table.concat(values) }

if said ~= known then
  local since = tonumber(match(known, '^%d+')) or 0
  if call('ZCOUNT', WORDS, integer(since), integer(since)) == 0 then since = 0 end
  answer[2], answer[3] = said, since == 0 and 1 or 0
  for _, each in ipairs(call('ZRANGEBYSCORE', WORDS, '(' .. integer(since), '+inf', 'WITHSCORES')) do
    answer[#answer + 1] = each
  end
end
return answer
