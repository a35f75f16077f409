-- The board in Redis on which processes post the state of their breakers: one hash, one script call to post and to read.
--
-- KEYS[1]  the hash
-- ARGV     the stamp up to which the caller has read, how long a note is kept (us), the caller's process, when the board
--          that it has read was put up, and what it posts: identity, note, identity, note, …
-- answer   when this board was put up, its latest stamp, the time (us), how much made no sense and was removed, and what
--          others have posted since: {identity, note, …}
--
-- Fields:  ""                     "<put up, us> <latest stamp>"
--          <identity>|<process>   "<stamp> <note>"
-- A stamp is the time in microseconds, and greater than every stamp before it. Where nobody has posted since the caller
-- read, nothing but the first field is looked at. Numbers are doubles here, exact up to 2^53.

local MOST_NOTES = 20000
local LONGEST_NOTE = 4096

local call, format, match = redis.call, string.format, string.match
local key, seen, keep_us, suffix = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), '|' .. ARGV[3]
local time = call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local spoilt = 0

local function integer(number)
  return format('%.0f', number)
end

local head = redis.pcall('HGET', key, '')
local born, stamp
if type(head) == 'string' then born, stamp = match(head, '^(%d+) (%d+)$') end
born, stamp = tonumber(born), tonumber(stamp)
local latest = stamp
if not born or stamp > now + keep_us or call('HLEN', key) > MOST_NOTES then
  spoilt = call('DEL', key)
  born, stamp, latest = now, now, nil
end

if born ~= tonumber(ARGV[4]) then seen = 0 end

if #ARGV > 4 then
  stamp = math.max(stamp + 1, now)
  for i = 5, #ARGV, 2 do
    call('HSET', key, ARGV[i] .. suffix, integer(stamp) .. ' ' .. ARGV[i + 1])
  end
end
if stamp ~= latest then
  call('HSET', key, '', integer(born) .. ' ' .. integer(stamp))
  call('PEXPIRE', key, integer(keep_us / 1000))
end

local posted = {}
if latest and latest ~= seen then
  local all = call('HGETALL', key)
  for i = 1, #all, 2 do
    local field, value = all[i], all[i + 1]
    if field ~= '' then
      local at, note = match(value, '^(%d+) (.*)$')
      at = tonumber(at)
      if not at or at > stamp or #note > LONGEST_NOTE or not match(field, '|[^|]*$') then
        call('HDEL', key, field)
        spoilt = spoilt + 1
      elseif at < now - keep_us then
        call('HDEL', key, field)
      elseif at > seen and string.sub(field, -#suffix) ~= suffix then
        posted[#posted + 1] = match(field, '^(.*)|')
        posted[#posted + 1] = note
      end
    end
  end
end
return { integer(born), integer(stamp), integer(now), spoilt, posted }
