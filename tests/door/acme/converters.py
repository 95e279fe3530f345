"""The same transformer for onnxmltools, for those who come from there: registered when this module is imported."""

from onnx import TensorProto
from onnxmltools.convert.common._registration import register_converter, register_shape_calculator
from onnxmltools.convert.common.data_types import DoubleTensorType
from onnxmltools.convert.sparkml.ops_input_output import io_name_map
from onnxmltools.convert.sparkml.ops_names import sparkml_operator_name_map

from acme.transformers import Clip

NAME = "acme.transformers.Clip"


def convert(scope, operator, container):
    clip, bounds = operator.raw_operator, []
    for param in (clip.low, clip.high):
        bounds.append(scope.get_unique_variable_name(param.name))
        container.add_initializer(bounds[-1], TensorProto.DOUBLE, [], [clip.getOrDefault(param)])
    container.add_node("Clip", [operator.inputs[0].full_name, *bounds], operator.outputs[0].full_name, op_version=13)


def shape(operator):
    operator.outputs[0].type = DoubleTensorType([None, 1])


sparkml_operator_name_map[Clip] = NAME
io_name_map[NAME] = (lambda stage: [stage.getInputCol()], lambda stage: [stage.getOutputCol()])
register_converter(NAME, convert)
register_shape_calculator(NAME, shape)
