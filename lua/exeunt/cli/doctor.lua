-- cli/doctor.lua: `exeunt doctor [--json]`: the machine as the engine sees it, what it chose, the versions of all that is
-- linked or loaded, and what is missing, with how to get it. It changes nothing. Exit code 1 where something needed is missing.

local core = require "exeunt.core"
local libraries = require "exeunt.libraries"
local paths = require "exeunt.paths"
local system = require "exeunt.system"
local tables = require "exeunt.report.table"
local usage = require "exeunt.cli.usage"

local C, text = core.C, core.ffi.string
local doctor = { about = "show CPU, kernels, threads, versions, and what is missing", usage = "" }

-- -- The machine ------------------------------------------------------------------------------------------

local function first_line(path)
  local file = io.open(path, "r")
  if not file then return nil end
  local line = file:read "*l"
  file:close()
  return line
end

local function find_line(path, pattern)
  local file = io.open(path, "r")
  if not file then return nil end
  local found
  for line in file:lines() do
    found = found or line:match(pattern)
  end
  file:close()
  return found
end

-- The CPU features that kernels are picked by.
local function features()
  local flags = " " .. (find_line("/proc/cpuinfo", "^flags%s*:%s*(.*)$") or "") .. " "
  local known = {}
  for _, name in ipairs { "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_bf16", "avx512_vnni" } do
    if flags:find(" " .. name .. " ", 1, true) then known[#known + 1] = name end
  end
  return known
end

-- CPUs by cgroup quota, or nil where there is none.
local function quota()
  local limit, period = (first_line "/sys/fs/cgroup/cpu.max" or ""):match "^(%d+) (%d+)$"
  if not limit then
    limit, period = first_line "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", first_line "/sys/fs/cgroup/cpu/cpu.cfs_period_us"
  end
  limit, period = tonumber(limit), tonumber(period)
  return limit and period and limit > 0 and limit / period or nil
end

local function machine()
  local huge = (first_line "/sys/kernel/mm/transparent_hugepage/enabled" or ""):match "%[(%w+)%]"
  local kilobytes = tonumber(find_line("/proc/meminfo", "^MemTotal:%s*(%d+)"))
  return {
    cpu = text(C.ex_cpu_model()), features = features(), cpus = C.ex_cpu_count(),
    affinity = find_line("/proc/self/status", "^Cpus_allowed_list:%s*(%S+)"), cgroup_cpus = quota(),
    huge_pages = huge or "unknown", memory = kilobytes and kilobytes * 1024,
  }
end

local function chosen()
  return {
    isa = text(C.ex_isa_name()), isas = text(C.ex_isa_available()), blis = text(C.ex_blis_kernels()),
    threads = require("exeunt.plan").threads(), exact = require("exeunt.plan").exact(), jit = require("jit").status() and "on" or "off",
  }
end

-- -- Versions and what is missing ----------------------------------------------------------------------------

local function versions()
  local list = { { "exeunt", text(C.ex_version()) } }
  for _, l in ipairs(libraries.linked()) do list[#list + 1] = l end
  list[#list + 1] = { "libpq", libraries.libpq() or "not found" }
  for _, module in ipairs { "argparse", "cjson", "inspect" } do
    local ok, loaded = pcall(require, module)
    if ok then list[#list + 1] = { module, tostring(loaded.version or loaded._VERSION):gsub("^[%a.]+ ", "") .. "" } end
  end
  return list
end

-- What lies outside the binary: { name, get = how, use = what for, needed, found; brief = how, in a table's few words }.
local function parts()
  local list = {}
  local function module(name, package, use, needed)
    local found = pcall(require, name)
    list[#list + 1] = { name = "Lua module " .. name, get = "apt-get install " .. package, use = use, needed = needed,
                        found = found }
  end
  local function header(name, package, use)
    local found = io.open("/usr/include/" .. name, "r")
    if found then found:close() end
    list[#list + 1] = { name = "header " .. name, get = "apt-get install " .. package, use = use, needed = false,
                        found = found ~= nil }
  end
  local function program(name, package, use)
    list[#list + 1] = { name = "program " .. name, get = "apt-get install " .. package, use = use, needed = false,
                        found = os.execute(("command -v %s >/dev/null 2>&1"):format(name)) == 0 }
  end
  module("argparse", "lua-argparse", "the command line", true)
  module("cjson", "lua-cjson", "JSON", true)
  module("inspect", "lua-inspect", "the prompt", true)
  module("luaunit", "lua-unit", "tests", false)
  list[#list + 1] = { name = "library libpq", get = "apt-get install libpq5", use = "studies on a PostgreSQL server", needed = false,
                      found = libraries.libpq() ~= nil }
  program("curl", "curl", "exeunt data fetch")
  program("unzip", "unzip", "exeunt data fetch")
  header("cmocka.h", "libcmocka-dev", "tests")
  program("gnuplot", require("exeunt.report.gnuplot").package, "reports and ex.plot")
  program("chromium", "chromium", "tests of reports")
  for _, set in ipairs(require("exeunt.data").list()) do
    list[#list + 1] = { name = "data set " .. set.name, get = set.get or set.problem, use = "recipes", needed = false,
                        found = set.here, brief = set.get and set.get:match "^exeunt data fetch [%w-]+" or "see exeunt data" }
  end
  return list
end

-- -- The report ----------------------------------------------------------------------------------------------

local function machine_rows(m)
  return {
    { "CPU", m.cpu }, { "features", table.concat(m.features, " ") },
    { "CPUs for this process", ("%d (affinity %s, cgroup quota %s)"):format(m.cpus, m.affinity or "unknown",
      m.cgroup_cpus and ("%.1f"):format(m.cgroup_cpus) or "none") },
    { "memory", m.memory and tables.bytes(m.memory) or "unknown" }, { "huge pages", m.huge_pages .. (m.huge_pages == "never" and
      " (first touches of memory will be slow; ask for madvise)" or "") },
  }
end

local function chosen_rows(c)
  return { { "kernels", ("%s (this CPU can run: %s)"):format(c.isa, c.isas) }, { "BLIS kernels", c.blis },
           { "convolutions", c.exact and "exact: direct kernels alone" or "by Winograd where that is faster (--exact: never)" },
           { "threads", c.threads }, { "Lua compiler", c.jit }, { "program", system.program }, { "engine's files", paths.root } }
end

local function section(title, rows)
  local body = tables.render({ { title = title, align = "left" }, { title = "", align = "left" } }, rows)
  return body .. "\n"
end

local function parts_text(list)
  local rows = {}
  for i, part in ipairs(list) do
    rows[i] = { part.name, part.found and "found" or "missing", part.use, part.found and "" or part.brief or part.get }
  end
  return tables.render({ "outside the program", "", "for", "" }, rows)
end

local function as_json(m, c, list, vs)
  local json = require "exeunt.report.json"
  local doc = { machine = m, chosen = c, versions = {}, parts = json.list() }
  m.features = json.list(m.features)
  for _, v in ipairs(vs) do doc.versions[v[1]] = v[2] end
  for i, part in ipairs(list) do doc.parts[i], part.brief = part, nil end
  return json.encode(doc) .. "\n"
end

function doctor.main(args)
  local parser = usage.parser("doctor", "Shows the machine as the engine sees it, what it chose, and what is missing.")
  parser:flag("--json", "Print one JSON document.")
  usage.threads(parser)
  usage.exact(parser)
  local given = usage.parse("doctor", parser, args)
  usage.use_threads(given.threads)
  usage.use_exact(given.exact)
  local m, c, list, vs = machine(), chosen(), parts(), versions()
  local parts_table = parts_text(list)
  usage.write(io.stdout, given.json and as_json(m, c, list, vs) or
    section("machine", machine_rows(m)) .. section("chosen", chosen_rows(c)) .. section("versions", vs) .. parts_table)
  for _, part in ipairs(list) do
    if part.needed and not part.found then return 1 end
  end
end

return doctor
