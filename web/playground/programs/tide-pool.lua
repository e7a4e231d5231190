-- A tide pool. Whatever lives in it is a coroutine: where a fish is, what it
-- has eaten and what it is about to do stands in its local variables, and in
-- how far it has come in its function. Nothing here saves anything, and
-- nothing loads it. The page keeps the VM.
--
-- screen.draw(tick, numbers) belongs to the page, and is known by its name.

local sin, cos, pi, random = math.sin, math.cos, math.pi, math.random
local wait = coroutine.yield -- until the next picture

local WIDTH, SAND, SURFACE_LOW, TIDE = 960, 486, 306, 92
local INK, MOON, BLUE, FAINT, ROSE, TEAL, VIOLET, GROUND, STONE = 1, 2, 3, 4, 5, 6, 7, 8, 9

collectgarbage("incremental", 110, 400) -- what is dead is swept at once, so that images stay small

local tick, surface = 0, SURFACE_LOW
local living, shoal, crumbs = {}, {}, {}

---------------------------------------------------------------- the picture

local numbers, count = {}, 0

local function dot(colour, alpha, x, y, radius)
  local n = count
  numbers[n + 1], numbers[n + 2], numbers[n + 3] = 1, colour, alpha
  numbers[n + 4], numbers[n + 5], numbers[n + 6] = x, y, radius
  count = n + 6
end

local function oval(colour, alpha, x, y, wide, high, angle)
  local n = count
  numbers[n + 1], numbers[n + 2], numbers[n + 3], numbers[n + 4] = 3, colour, alpha, x
  numbers[n + 5], numbers[n + 6], numbers[n + 7], numbers[n + 8] = y, wide, high, angle or 0
  count = n + 8
end

-- A smooth line through points, or with width 0 a smooth shape.
local function path(colour, alpha, width, points)
  local n = count
  numbers[n + 1], numbers[n + 2], numbers[n + 3] = 2, colour, alpha
  numbers[n + 4], numbers[n + 5] = width, #points
  table.move(points, 1, #points, n + 6, numbers)
  count = n + 5 + #points
end

-- An outline, moved and turned. The list is only good until the next call.
local moved = {}
local function placed(outline, x, y, size, angle, squeeze)
  local c, s, points = cos(angle) * size, sin(angle) * size, moved[outline]
  if not points then
    points = {}
    moved[outline] = points
  end
  for i = 1, #outline, 2 do
    local along, across = outline[i], outline[i + 1] * (squeeze or 1)
    points[i], points[i + 1] = x + along * c - across * s, y + along * s + across * c
  end
  return points
end

------------------------------------------------------------------- the scene

local function stars()
  local sky = {}
  for i = 1, 56 do sky[i] = { random(0, WIDTH), random(6, SURFACE_LOW - TIDE - 8), random() ^ 3, random() * 6 } end
  while true do
    for i = 1, #sky do
      local star = sky[i]
      dot(INK, 0.25 + 0.3 * star[3] + 0.2 * sin(tick * 0.04 + star[4]), star[1], star[2], 0.6 + star[3])
    end
    wait()
  end
end

-- Once around in a minute; the water follows.
local function moon()
  local ROUND, RADIUS = 1800, 27
  local phase, from = 0.34, ROUND * 0.3 // 1
  while true do
    for step = from, ROUND do
      local t = step / ROUND
      local x, y = -60 + t * (WIDTH + 120), 176 - 108 * sin(pi * t)
      surface = SURFACE_LOW - TIDE * sin(pi * t) ^ 2
      for i = 1, 9 do dot(MOON, 0.017, x, y, RADIUS + i * i * 1.3 + i * 3) end
      dot(GROUND, 1, x, y, RADIUS)
      dot(MOON, 0.12, x, y, RADIUS)
      local lit, side, edge = {}, phase < 0.5 and 1 or -1, cos(2 * pi * phase)
      for i = -1, 13 do -- the tips twice: they are sharp
        local a = -pi / 2 + pi * math.max(0, math.min(12, i)) / 12
        lit[#lit + 1] = x + side * RADIUS * cos(a)
        lit[#lit + 1] = y + RADIUS * sin(a)
      end
      for i = 11, 1, -1 do
        local a = -pi / 2 + pi * i / 12
        lit[#lit + 1] = x + side * RADIUS * cos(a) * edge
        lit[#lit + 1] = y + RADIUS * sin(a)
      end
      path(MOON, 1, 0, lit)
      for i = 1, 7 do
        local half, glint = 30 - 3 * i + 8 * sin(tick * 0.06 + i * 2), surface + 3 + i * i * 1.3
        local shift = 7 * sin(tick * 0.045 + i)
        path(MOON, 0.42 - i * 0.05, 1.4, { x + shift - half, glint, x + shift, glint, x + shift + half, glint })
      end
      wait()
    end
    phase, from = (phase + 0.09) % 1, 1
  end
end

local function wave(x)
  return surface + 2.6 * sin(x * 0.017 + tick * 0.05) + 1.7 * sin(x * 0.041 - tick * 0.037)
end

local function water()
  while true do
    local line = {}
    for x = -40, WIDTH + 40, 40 do
      line[#line + 1] = x
      line[#line + 1] = wave(x)
    end
    path(BLUE, 0.75, 1.5, line)
    for depth = 0, 3 do
      local body = { -200, 640, -200, surface + depth * 52 }
      for i = 1, #line, 2 do
        body[#body + 1] = line[i]
        body[#body + 1] = line[i + 1] + depth * 52 + 3 * sin(line[i] * 0.01 * depth + tick * 0.02)
      end
      for _, p in ipairs { WIDTH + 200, surface + depth * 52, WIDTH + 200, 640 } do body[#body + 1] = p end
      path(BLUE, 0.065, 0, body)
    end
    wait()
  end
end

local STONES = {}
for i = 1, 26 do
  local size = 4 + 22 * random() ^ 3
  STONES[i] = { random(-10, WIDTH + 10), SAND + 4 + random() * 26, size, 0.45 + random() * 0.25 }
end

local function sand()
  local dune = { -200, 700, -200, SAND }
  for x = -40, WIDTH + 40, 60 do
    dune[#dune + 1] = x
    dune[#dune + 1] = SAND - 5 * sin(x * 0.009) - 3 * sin(x * 0.023 + 1)
  end
  for _, p in ipairs { WIDTH + 200, SAND, WIDTH + 200, 700 } do dune[#dune + 1] = p end
  while true do
    path(STONE, 1, 0, dune)
    for i = 1, #STONES do
      local stone = STONES[i]
      oval(FAINT, 0.14, stone[1], stone[2], stone[3], stone[3] * stone[4], 0.2 * sin(i * 7))
    end
    wait()
  end
end

--------------------------------------------------------------- what lives here

function weed(x, height)
  local root, length, sway = SAND + random(0, 10), random(height // 3, height - 2), random() * 6
  local function grow(ticks)
    for _ = 1, ticks do
      local stem, px, py, lean = { x, root }, x, root, 0
      for i = 1, length do
        lean = lean + 0.055 * sin(tick * 0.028 + sway + i * 0.42)
        px, py = px + 16 * sin(lean), py - 16 * cos(lean)
        if py < wave(px) + 4 then py = wave(px) + 4 end -- it lies on the water at low tide
        stem[#stem + 1], stem[#stem + 2] = px, py
        local side = i % 2 == 0 and 1 or -1
        local turn, size = lean - pi / 2 + side * 0.85, 8.5 - i * 0.25
        oval(TEAL, 0.5, px + cos(turn) * size, py + sin(turn) * size, size, size * 0.36, turn)
      end
      path(TEAL, 0.6, 2.2, stem)
      wait()
    end
  end
  while true do
    while length < height do
      grow(random(70, 150))
      length = length + 1
    end
    grow(random(300, 900))
    length = height - random(2, 4) -- what is old breaks off
  end
end

local BODY = { 1, 0, 0.6, 0.3, -0.1, 0.36, -0.8, 0.07, -0.8, -0.07, -0.1, -0.36, 0.6, -0.3 }
local TAIL = { 0.15, 0, -0.55, 0.42, -0.3, 0, -0.55, -0.42 }

-- Where a fish turns: to its neighbours, away from walls, and first of all to food.
function school(self)
  local x, y, vx, vy = self.x, self.y, cos(self.heading), sin(self.heading)
  local toX, toY = vx * 3, vy * 1.6
  for i = 1, #shoal do
    local other = shoal[i]
    local dx, dy = other.x - x, other.y - y
    local d = dx * dx + dy * dy
    if d > 0 and d < 900 then
      toX, toY = toX - dx * 0.05, toY - dy * 0.05
    elseif d > 0 and d < 22000 then
      toX, toY = toX + cos(other.heading) * 0.3 + dx * 0.002, toY + sin(other.heading) * 0.3 + dy * 0.002
    end
  end
  local best = 90000
  for i = 1, #crumbs do
    local dx, dy = crumbs[i].x - x, crumbs[i].y - y
    local d = dx * dx + dy * dy
    if d < best then best, toX, toY = d, dx * 0.2, dy * 0.2 end
  end
  if x < 60 then toX = toX + (60 - x) * 0.12 elseif x > WIDTH - 60 then toX = toX - (x - WIDTH + 60) * 0.12 end
  if y < surface + 34 then toY = toY + (surface + 34 - y) * 0.2 end
  if y > SAND - 26 then toY = toY - (y - SAND + 26) * 0.2 end
  local wanted = math.atan(toY * 0.7, toX) + (random() - 0.5) * 0.5
  self.heading = self.heading + sin(wanted - self.heading) * 0.07
end

steer = school

function fish(x, y)
  local self = { x = x or random(80, WIDTH - 80), y = y or random(340, 440), heading = random() * 2 * pi, size = 13 + random(0, 6) }
  local speed, beat, colour = 1, random() * 6, ({ INK, INK, MOON, ROSE })[random(4)]
  shoal[#shoal + 1] = self
  local function swim(ticks, pace)
    for _ = 1, ticks do
      speed = speed + (pace - speed) * 0.12
      steer(self)
      self.x = self.x + speed * cos(self.heading)
      self.y = math.max(surface + 12, math.min(SAND - 8, self.y + speed * sin(self.heading)))
      for i = 1, #crumbs do
        local crumb = crumbs[i]
        if (crumb.x - self.x) ^ 2 + (crumb.y - self.y) ^ 2 < 220 then
          crumb.eaten = true
          self.size = math.min(30, self.size + 1)
        end
      end
      beat = beat + 0.12 + speed * 0.12
      local size, heading = self.size, self.heading
      local tx, ty = self.x - cos(heading) * size * 0.75, self.y - sin(heading) * size * 0.75
      path(colour, 0.62, 0, placed(TAIL, tx, ty, size, heading + 0.5 * sin(beat)))
      path(colour, 0.92, 0, placed(BODY, self.x, self.y, size, heading + 0.1 * sin(beat - 1)))
      dot(GROUND, 0.9, self.x + cos(heading) * size * 0.52, self.y + sin(heading) * size * 0.52, size * 0.085)
      wait()
    end
  end
  while true do
    swim(random(90, 240), 1.5)
    swim(random(10, 18), 4.2) -- startled by nothing
    swim(random(40, 120), 0.7)
  end
end

function jelly(x, y)
  x, y = x or random(100, WIDTH - 100), y or random(350, 420)
  local drift, sway, size = (random() - 0.5) * 0.5, random() * 6, 17 + random(0, 9)
  local function show(squeeze)
    local w, h, bell = size * (1.15 - 0.35 * squeeze), size * (0.9 + 0.4 * squeeze), {}
    for i = 0, 8 do
      local a = pi + pi * i / 8
      bell[#bell + 1], bell[#bell + 2] = x + w * cos(a), y + h * sin(a)
    end
    for i = 4, 0, -1 do
      bell[#bell + 1], bell[#bell + 2] = x - w + w * i / 2, y + (i % 2 == 0 and 2 or 6)
    end
    for i = -2, 2 do
      local arm, px = {}, x + i * w * 0.38
      for j = 0, 5 do
        arm[#arm + 1] = px + sin(tick * 0.06 + sway + j * 0.8 + i * 0.3) * j * 1.5 + i * j * (0.8 - squeeze)
        arm[#arm + 1] = y + 2 + j * size * (0.36 + 0.1 * (i % 2))
      end
      path(VIOLET, 0.5, 1.3, arm)
    end
    path(VIOLET, 0.3, 0, bell)
    path(VIOLET, 0.85, 1.3, bell)
    x = x + drift
    if x < 60 or x > WIDTH - 60 then drift = -drift end
    y = math.max(surface + size + 20, math.min(SAND - 70, y))
    wait()
  end
  while true do
    for i = 1, 12 do y = y - 1.9 * sin(pi * i / 12) show(i / 12) end
    for i = 1, 46 do y = y + 0.26 show(1 - i / 46) end
    if random() < 0.25 then
      for _ = 1, random(60, 160) do y = y + 0.2 show(0) end
    end
  end
end

function crab(x)
  x = x or random(100, WIDTH - 100)
  local y, way, stride, lift = SAND + 2, 1, 0, 0
  local function show()
    for side = -1, 1, 2 do
      for leg = 1, 3 do
        local step = sin(stride + leg * 2.1 + side) * 3
        local out = 9 + leg * 3.4
        path(ROSE, 0.8, 1.8, { x + side * 7, y, x + side * (out - 2), y - 5, x + side * out + step, y + 8 })
      end
      local cx, cy = x + side * 16, y - 7 - lift * (9 + 3 * sin(tick * 0.5 + side))
      path(ROSE, 0.8, 2.2, { x + side * 9, y - 2, x + side * 15, y - 3, cx, cy })
      dot(ROSE, 0.95, cx, cy - 2, 4.2)
      dot(STONE, 1, cx - side, cy - 5, 1.9)
      path(ROSE, 0.9, 1.4, { x + side * 3.5, y - 6, x + side * 4, y - 11 })
      dot(INK, 0.9, x + side * 4, y - 12, 1.7)
    end
    oval(ROSE, 1, x, y, 12, 8)
    wait()
  end
  while true do
    way = x < 120 and 1 or x > WIDTH - 120 and -1 or way
    for _ = 1, random(40, 130) do
      x, stride = x + way * 0.9, stride + 0.45
      show()
    end
    for _ = 1, random(20, 70) do show() end
    for i = 1, 40 do -- waves
      lift = sin(pi * i / 40)
      show()
    end
    lift = 0
    if random() < 0.4 then way = -way end
  end
end

function bubble(x, y)
  x, y = x or random(60, WIDTH - 60), y or SAND
  local size, sway = 1.5 + random() * 3, random() * 6
  while y > wave(x) + 3 do
    y, x = y - 1.1 - size * 0.16, x + 0.5 * sin(tick * 0.12 + sway)
    oval(BLUE, 0.22, x, y, size, size)
    dot(INK, 0.7, x - size * 0.35, y - size * 0.35, size * 0.22)
    wait()
  end
  for i = 1, 14 do
    path(BLUE, 0.6 - i * 0.04, 1, { x - size - i, wave(x), x, wave(x) - 1, x + size + i, wave(x) })
    wait()
  end
end

local function breath()
  while true do
    for _ = 1, random(50, 150) do wait() end
    local x = random(60, WIDTH - 60)
    for _ = 1, random(3, 7) do
      spawn(bubble, x + random(-5, 5), SAND + 4)
      for _ = 1, random(5, 12) do wait() end
    end
  end
end

local function crumb(x, y)
  local self = { x = x, y = y }
  crumbs[#crumbs + 1] = self
  local pace = 2
  while self.y < SAND + 6 and not self.eaten do
    if self.y > wave(self.x) then pace = 0.75 else pace = pace + 0.3 end
    self.y = self.y + pace
    dot(MOON, 0.95, self.x, self.y, 2.4)
    wait()
  end
  for i = #crumbs, 1, -1 do
    if crumbs[i] == self then table.remove(crumbs, i) end
  end
end

------------------------------------------------------------------------- life

function spawn(life, ...)
  local creature = coroutine.create(life)
  living[#living + 1] = { creature, ... }
  return #living .. " coroutines"
end

-- The page calls this where the picture is touched.
function feed(x, y)
  x = x or random(200, WIDTH - 200)
  for _ = 1, 5 do spawn(crumb, x + random(-22, 22), (y or 20) + random(-14, 14)) end
end

function census()
  return { tick = tick, coroutines = #living, fish = #shoal }
end

spawn(stars)
spawn(moon)
spawn(water)
spawn(sand)
for i = 1, 6 do
  local x = i * 160 - random(20, 140)
  for _ = 1, random(1, 3) do
    spawn(weed, x, random(6, 14))
    x = x + random(12, 34)
  end
end
for _ = 1, 3 do spawn(jelly) end
for _ = 1, 15 do spawn(fish) end
for i = 1, 2 do spawn(crab, i * 310) end
spawn(breath)

while true do
  tick, count = tick + 1, 0
  local before, left = #living, 0
  for i = 1, before do
    local creature = living[i]
    local ok, message = coroutine.resume(table.unpack(creature))
    if not ok then print("a creature has died: " .. message) end
    if coroutine.status(creature[1]) ~= "dead" then
      left = left + 1
      living[left] = creature
    end
  end
  table.move(living, before + 1, #living, left + 1) -- who was born meanwhile
  for _ = left + 1, before do living[#living] = nil end
  for i = #numbers, count + 1, -1 do numbers[i] = nil end
  screen.draw(tick, numbers)
  async.sleep(33)
end
