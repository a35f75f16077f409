-- The counters in Redis: a batch of operations, each of which happens wholly or not at all. Semantics as in local.py.
--
-- KEYS[1]  the marker: it is there while this Redis holds what the ledger knows (set by the operation `mark`)
-- ARGV     the prefix of all keys, the longest time of a call in microseconds, the batch (MessagePack); for
--          simulations the time: seconds, microseconds
-- answer   MessagePack: now_us, 1 where the marker is there, {day, week, month, total}, {one result per operation}
--
-- Keys behind the prefix:
--   r:<name>          a rate: "<debt>:<when it stood so, us>"
--   q:<start>:<name>  what is used of a quota in the window that began then
--   c:<name>          calls under way: a sorted set of request ids by the end of their leases, us
--   h:<request id>    what a call has taken and its settlement replaces (MessagePack); "" where it was released early
--   p:<id>            an addition that has been made
--   processes         the gateway's processes: a sorted set by the end of their leases, us
--
-- Numbers are doubles here: every product is bounded before it is made, and no number becomes text without a format,
-- which would be %.14g.

local MAX = 9007199254740992  -- 2^53
local KEEP_S = 86400          -- a call whose process died can be settled so long; a window that is over is kept so long
local RELEASED_S = 600
-- An idle rate is forgotten that long after it has drained; later where time is simulated, since Redis' own runs on.
local DRAINED_MS = ARGV[4] and 86400000 or 1000

local call, format, floor = redis.call, string.format, math.floor
local prefix, lease_us, batch = ARGV[1], tonumber(ARGV[2]), cmsgpack.unpack(ARGV[3])

local time = ARGV[4] and { ARGV[4], ARGV[5] } or call('TIME')
local now_s = tonumber(time[1])
local now_us = now_s * 1000000 + tonumber(time[2])
local marked = call('EXISTS', KEYS[1]) == 1

local function integer(number)
  return format('%.0f', number)
end

-- Days from the epoch to the first of a month (H. Hinnant, "chrono-compatible low-level date algorithms").
local function days_to_month(year, month)
  if month <= 2 then year = year - 1 end
  local era = floor(year / 400)
  local of_era = year - era * 400
  local of_year = floor((153 * ((month + 9) % 12) + 2) / 5)
  return era * 146097 + of_era * 365 + floor(of_era / 4) - floor(of_era / 100) + of_year - 719468
end

-- Starts and ends of the day, the week (from Monday), the month and all time, in seconds; all time has no end.
local function windows()
  local day = floor(now_s / 86400)
  local week = day - (day + 3) % 7
  local z = day + 719468
  local era = floor(z / 146097)
  local of_era = z - era * 146097
  local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local month = (floor((5 * of_year + 2) / 153) + 2) % 12 + 1
  year = year + era * 400
  if month <= 2 then year = year + 1 end
  local first, following = days_to_month(year, month), days_to_month(year + floor(month / 12), month % 12 + 1)
  return { day * 86400, week * 86400, first * 86400, 0 }, { day * 86400 + 86400, (week + 7) * 86400, following * 86400 }
end

local starts, ends = windows()

local function put_debt(key, debt, count)
  call('SET', key, integer(debt) .. ':' .. integer(now_us), 'PX', integer(floor(debt / count / 1000) + DRAINED_MS))
end

local function debt_of(key, count)
  local state = call('GET', key)
  if not state then return 0 end
  local debt, at = string.match(state, '^(%d+):(%d+)$')
  debt, at = tonumber(debt), tonumber(at)
  local elapsed = now_us - at
  if elapsed < 0 then  -- the server's clock was set back: it drains from now on
    put_debt(key, debt, count)
    return debt
  end
  if elapsed > floor(debt / count) then return 0 end
  return debt - elapsed * count
end

local function quota_key(window, name, start)
  return prefix .. 'q:' .. integer(start or starts[window]) .. ':' .. name
end

local function expire_quota(key, window)
  if ends[window] then call('EXPIREAT', key, integer(ends[window] + KEEP_S)) end
end

local function change_quota(key, change)
  if call('INCRBY', key, integer(change)) < 0 then call('SET', key, '0', 'KEEPTTL') end
end

-- {1, request id, tokens, nanousd, needs the marker, meters} -> {0, readings, over} | {1, index, reading} | {2} | {3}
-- A meter: {1 rate, name, unit, capacity, refuses, period, count, burst}, {2 quota, name, unit, limit, refuses, window},
-- {3 concurrency, name, 0, limit, refuses}.
local function reserve(op)
  local id, meters = op[2], op[6]
  local amounts = { 1, op[3], op[4] }
  if op[5] and not marked then return { 2 } end
  local held = prefix .. 'h:' .. id
  if call('EXISTS', held) == 1 then return { 3 } end  -- released before it came
  local keys, readings, over, skip = {}, {}, {}, {}
  for i, meter in ipairs(meters) do
    local kind, need, bound = meter[1], amounts[meter[3] + 1], meter[4]
    local key, before, reading, fits
    if kind == 1 then
      key = prefix .. 'r:' .. meter[2]
      before = debt_of(key, meter[7])
      fits = need <= meter[8] and need * meter[6] <= bound - before
      reading = fits and before + need * meter[6] or before  -- a shadow counts only what it would have let pass
    elseif kind == 2 then
      key = quota_key(meter[6], meter[2])
      before = tonumber(call('GET', key) or 0)
      fits = need <= bound - before
      reading = before + need
    else
      key = prefix .. 'c:' .. meter[2]
      call('ZREMRANGEBYSCORE', key, '-inf', integer(now_us))
      before = call('ZCARD', key)
      fits = before < bound
      reading = before + 1
    end
    if not fits then
      if meter[5] then return { 1, i - 1, before } end
      over[#over + 1] = i - 1
      skip[i] = kind == 1
    end
    keys[i], readings[i] = key, reading
  end
  local taken = {}
  for i, meter in ipairs(meters) do
    local kind, unit, key = meter[1], meter[3], keys[i]
    if kind == 1 then
      if not skip[i] then
        if readings[i] > 0 then put_debt(key, readings[i], meter[7]) end
        if unit ~= 0 then taken[#taken + 1] = { 1, key, unit, amounts[unit + 1], meter[6], meter[7] } end
      end
    elseif kind == 2 then
      call('INCRBY', key, integer(amounts[unit + 1]))
      if readings[i] == amounts[unit + 1] then expire_quota(key, meter[6]) end
      if unit ~= 0 then taken[#taken + 1] = { 2, key, unit, amounts[unit + 1] } end
    else
      call('ZADD', key, integer(now_us + lease_us), id)
      call('PEXPIRE', key, integer(floor(lease_us / 1000) + 1000))
      taken[#taken + 1] = { 3, key }
    end
  end
  if #taken > 0 then call('SET', held, cmsgpack.pack(taken), 'EX', KEEP_S) end
  return { 0, readings, over }
end

-- {2, request id, tokens, nanousd} -> 1, or 0 where there is nothing (any more) to settle
local function settle(op)
  local id, used = op[2], { 0, op[3], op[4] }
  local held = prefix .. 'h:' .. id
  local packed = call('GET', held)
  if not packed or packed == '' then return 0 end
  call('DEL', held)
  for _, entry in ipairs(cmsgpack.unpack(packed)) do
    local kind, key = entry[1], entry[2]
    if kind == 3 then
      call('ZREM', key, id)
    else
      local change = used[entry[3] + 1] - entry[4]
      if kind == 2 then
        if change ~= 0 and call('EXISTS', key) == 1 then change_quota(key, change) end
      elseif change ~= 0 then
        local period, count = entry[5], entry[6]
        local debt = debt_of(key, count)
        if change > floor((MAX - debt) / period) then
          debt = MAX
        else
          debt = math.max(0, debt + change * period)
        end
        put_debt(key, debt, count)
      end
    end
  end
  return 1
end

-- {3, request id}: as a settlement of nothing; holds even where the reservation arrives after it
local function release(op)
  local result = settle({ 2, op[2], 0, 0 })
  call('SET', prefix .. 'h:' .. op[2], '', 'EX', RELEASED_S)
  return result
end

-- {4, id, {{name, window, start, change}, ..}} -> 1, or 0 where it was made before. A window that is over is left out.
local function add(op)
  if not call('SET', prefix .. 'p:' .. op[2], '1', 'NX', 'EX', KEEP_S) then return 0 end
  for _, each in ipairs(op[3]) do
    if each[3] == starts[each[2]] then
      local key = quota_key(each[2], each[1])
      change_quota(key, each[4])
      expire_quota(key, each[2])
    end
  end
  return 1
end

-- {5, {{name, window}, ..}} -> what is used of each
local function used(op)
  local found = {}
  for i, each in ipairs(op[2]) do found[i] = tonumber(call('GET', quota_key(each[2], each[1])) or 0) end
  return found
end

-- {6, {{name, window, at least}, ..}} -> 1
local function raise_to(op)
  for _, each in ipairs(op[2]) do
    local key = quota_key(each[2], each[1])
    if tonumber(call('GET', key) or 0) < each[3] then
      call('SET', key, integer(each[3]))
      expire_quota(key, each[2])
    end
  end
  return 1
end

-- {7, process, lease in us} -> how many processes there are
local function beat(op)
  local key = prefix .. 'processes'
  call('ZADD', key, integer(now_us + op[3]), op[2])
  call('ZREMRANGEBYSCORE', key, '-inf', integer(now_us))
  return call('ZCARD', key)
end

local function leave(op)
  return call('ZREM', prefix .. 'processes', op[2])
end

local function mark()
  call('SET', KEYS[1], integer(now_us))
  marked = true
  return 1
end

local operations = { reserve, settle, release, add, used, raise_to, beat, leave, mark }
local results = {}
for i, op in ipairs(batch) do
  local ok, result = pcall(operations[op[1]], op)
  if not ok then result = { 9, type(result) == 'table' and result.err or tostring(result) } end
  results[i] = result
end
return cmsgpack.pack({ now_us, marked and 1 or 0, starts, results })
