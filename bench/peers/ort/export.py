"""export.py FOLDER: the peers' networks with their last head as ONNX files (opset 13, free batch), for infer.js."""
import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import models
from pt_infer import Last

torch.manual_seed(0)
for name, (make, shape) in models.NETS.items():
    net = make(False).eval()
    path = os.path.join(sys.argv[1], name)
    torch.onnx.export(Last(net).eval(), torch.zeros(1, *shape), path + ".onnx", opset_version=13, input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "n"}, "y": {0: "n"}})
    with open(path + ".json", "w") as about:
        about.write('{"shape": %s, "ready": "%s"}\n' % (list(shape), models.ready(net, shape)))
