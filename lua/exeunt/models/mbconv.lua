-- models/mbconv.lua: what MobileNetV3 and EfficientNet are built of: the inverted residual of MobileNetV2 with squeeze and
-- excitation (Hu et al. 2017, section 3) between its depthwise and its last convolution. x (N, C, H, W):
--     y = act(norm(conv1x1(x)))                 to `expand` channels; left out where expand = C
--     y = act(norm(depthwise(y)))               kernel x kernel with the stride
--     y = y gate(fc2(squeeze_act(fc1(mean y)))) by channel, through `squeeze` channels; left out without `squeeze`
--     y = norm(conv1x1(y))                      to `out` channels; x is added where the shape stays
-- Names as in torchvision: <prefix>.block.0.0, .block.0.1, ..., .block.2.fc1. In training the added branch may be dropped for
-- an image as a whole, with probability `drop`.

local nn = require "exeunt.nn"

local mbconv = {}

-- divisible(v): the multiple of 8 next to v, 8 at least, and not more than a tenth below it.
function mbconv.divisible(v)
  local near = math.max(8, math.floor((v + 4) / 8) * 8)
  return near < 0.9 * v and near + 8 or near
end

-- unit(g, prefix, x, o): convolution, batch norm and o.act (a layer, or nothing), named <prefix>.0, .1, .2.
function mbconv.unit(g, prefix, x, o)
  x = nn.conv2d { out = o.out, kernel = o.kernel, stride = o.stride or 1, padding = (o.kernel - 1) / 2, groups = o.groups or 1,
                  bias = false, init = o.init.conv }(g, prefix .. ".0", x)
  x = nn.batch_norm(o.norm)(g, prefix .. ".1", x)
  return o.act and o.act(g, prefix .. ".2", x) or x
end

local function squeeze_excite(g, prefix, x, o)
  local channels = x.shape[2]
  local function fc(name, out, s)
    return nn.conv2d { out = out, kernel = 1, init = o.init.conv, bias_init = o.init.bias }(g, nn.join(prefix, name), s)
  end
  local s = nn.global_avg_pool()(g, nn.join(prefix, "avgpool"), x)
  s = nn.op("reshape", { shape = { -1, channels, 1, 1 } })(g, nn.join(prefix, "reshape"), s)
  s = o.squeeze_act(g, nn.join(prefix, "activation"), fc("fc1", o.squeeze, s))
  s = o.gate(g, nn.join(prefix, "scale_activation"), fc("fc2", channels, s))
  return nn.scale_channels()(g, nn.join(prefix, "scale"), x, s)
end

-- block(g, prefix, x, o): o = { expand, out, kernel, stride, act, squeeze, squeeze_act, gate, drop, norm, init }, channels as
-- counts, activations as layers, norm = { eps, momentum }, init = { conv, bias }.
function mbconv.block(g, prefix, x, o)
  local channels, y, at = x.shape[2], x, -1
  local function name()
    at = at + 1
    return ("%s.block.%d"):format(prefix, at)
  end
  local function unit(out, kernel, stride, groups, act)
    y = mbconv.unit(g, name(), y, { out = out, kernel = kernel, stride = stride, groups = groups, act = act, norm = o.norm, init = o.init })
  end
  if o.expand ~= channels then unit(o.expand, 1, 1, 1, o.act) end
  unit(o.expand, o.kernel, o.stride, o.expand, o.act)
  if o.squeeze then y = squeeze_excite(g, name(), y, o) end
  unit(o.out, 1, 1, 1)
  if o.stride ~= 1 or channels ~= o.out then return y end
  if o.drop and o.drop > 0 then y = nn.stochastic_depth { p = o.drop }(g, nn.join(prefix, "stochastic_depth"), y) end
  return nn.add()(g, nn.join(prefix, "add"), x, y)
end

return mbconv
