-- Float arithmetic on records: five bodies under gravity, symplectic Euler steps.
-- units: 20

local function new_bodies()
  local bodies = { { x = 0.0, y = 0.0, z = 0.0, vx = 0.0, vy = 0.0, vz = 0.0, mass = 40.0 } }
  for i = 1, 4 do
    local distance, angle = 3.0 * i + 2.0, 1.7 * i
    local speed = math.sqrt(40.0 / distance)
    bodies[i + 1] = {
      x = distance * math.cos(angle),
      y = distance * math.sin(angle),
      z = 0.1 * i,
      vx = -speed * math.sin(angle),
      vy = speed * math.cos(angle),
      vz = 0.0,
      mass = 0.01 * i,
    }
  end
  return bodies
end

local function step(bodies, dt)
  local count = #bodies
  for i = 1, count do
    local a = bodies[i]
    for j = i + 1, count do
      local b = bodies[j]
      local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
      local squared = dx * dx + dy * dy + dz * dz
      local pull = dt / (squared * math.sqrt(squared))
      local of_b, of_a = pull * b.mass, pull * a.mass
      a.vx, a.vy, a.vz = a.vx - dx * of_b, a.vy - dy * of_b, a.vz - dz * of_b
      b.vx, b.vy, b.vz = b.vx + dx * of_a, b.vy + dy * of_a, b.vz + dz * of_a
    end
  end
  for i = 1, count do
    local body = bodies[i]
    body.x = body.x + dt * body.vx
    body.y = body.y + dt * body.vy
    body.z = body.z + dt * body.vz
  end
end

function bench(units)
  local bodies = new_bodies()
  for _ = 1, units do
    for _ = 1, 2500 do
      step(bodies, 0.001)
    end
  end
  local sum = 0
  for _, body in ipairs(bodies) do
    sum = sum + math.floor(body.x * 1e6) + math.floor(body.vy * 1e6)
  end
  return sum
end
