"""Nets under initialisers, on which the fact `signal` is measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nnspec
from nnspec.compiler.graph import Graph

SPECS = Path(__file__).parents[2] / "specs"


@dataclass(frozen=True)
class Pair:
    """A net with its initialisers.

    Attributes
    ----------
    text: the net, or its file under specs/.
    batch: how many examples a draw of weights is measured on.
    slow: measured by `python -m tests.analyzers.signal_table` alone, not by the tests.
    """

    name: str
    text: str
    batch: int
    slow: bool = False

    @property
    def graph(self) -> Graph:
        return nnspec.graph(SPECS / self.text if self.text.endswith(".nn") else self.text)


PAIRS = (
    # Seen while the rules were made.
    Pair("relu 10, he", "128 -> [fc128(init=he) relu]*10 -> fc32", 8, slow=True),
    Pair("relu 10, he uniform", "128 -> [fc128(init=he_uniform) relu]*10 -> fc32", 16, slow=True),
    Pair("relu 8, xavier", "128 -> [fc128(init=xavier) relu]*8 -> fc32", 8, slow=True),
    Pair("relu 6, lecun", "128 -> [fc128(init=lecun) relu]*6 -> fc32", 16, slow=True),
    Pair("relu 6, normal 0.01", "128 -> [fc128(init=normal(0.01)) relu]*6 -> fc32", 16, slow=True),
    Pair("relu 6, normal 0.2", "128 -> [fc128(init=normal(0.2)) relu]*6 -> fc32", 16, slow=True),
    Pair("relu 6, uniform 0.05", "128 -> [fc128(init=uniform(0.05)) relu]*6 -> fc32", 16, slow=True),
    Pair("relu, narrowing", "256 -> fc192 relu -> fc128 relu -> fc64 relu -> fc32", 16, slow=True),
    Pair("tanh 10, xavier", "128 -> [fc128(init=xavier) tanh]*10 -> fc32", 16),
    Pair("tanh 6, xavier uniform", "128 -> [fc128(init=xavier_uniform) tanh]*6 -> fc32", 16),
    Pair("tanh 6, normal 0.2", "128 -> [fc128(init=normal(0.2)) tanh]*6 -> fc32", 16),
    Pair("sigmoid 5, xavier", "128 -> [fc128 sigmoid]*5 -> fc32", 16, slow=True),
    Pair("sigmoid 5, normal 0.3", "128 -> [fc128(init=normal(0.3)) sigmoid]*5 -> fc32", 16, slow=True),
    Pair("gelu 6, he", "128 -> [fc128(init=he) gelu]*6 -> fc32", 16, slow=True),
    Pair("silu 6, he", "256 -> [fc256 silu]*4 -> fc32", 16, slow=True),
    Pair("mish, lecun", "128 -> [fc128(init=lecun) mish]*4 -> fc32", 16),
    Pair("elu 6, he", "128 -> [fc128 elu]*6 -> fc32", 16),
    Pair("selu 10, lecun", "128 -> [fc128(init=lecun) selu]*10 -> fc32", 16),
    Pair("softplus 4, he", "128 -> [fc128 softplus]*4 -> fc32", 16, slow=True),
    Pair("lrelu 0.2 8, he", "128 -> [fc128 lrelu0.2]*8 -> fc32", 16, slow=True),
    Pair("relu6 and hswish", "128 -> fc128 relu6 -> fc128 hswish -> fc128 hsigmoid -> fc32", 16),
    Pair("prelu", "128 -> [fc128 prelu]*4 -> fc32", 16),
    Pair("dropout", "128 -> [fc128 relu dropout0.5]*4 -> fc32", 16, slow=True),
    Pair("bn mlp", "128 -> [fc128 bn relu]*6 -> fc32", 192),
    Pair("bn mlp tanh, normal", "128 -> [fc128(init=normal(0.5)) bn tanh]*4 -> fc32", 192),
    Pair("ln mlp", "256 -> [fc256 ln relu]*4 -> fc32", 16, slow=True),
    Pair("rms mlp", "256 -> [fc256 rms gelu]*4 -> fc32", 16, slow=True),
    Pair("residual mlp", "128 -> [add[ id | fc128 relu -> fc128 ]]*5 -> fc32", 16, slow=True),
    Pair("residual mlp, relu behind", "128 -> [add[ id | fc128 relu -> fc128 ] relu]*6 -> fc32", 16, slow=True),
    Pair("residual mlp, pre-ln", "256 -> [add[ id | ln fc256 gelu -> fc256 ]]*3 -> ln fc32", 16),
    Pair("swish by hand", "128 -> fc128 -> mul[ id | sigmoid ] -> fc128 relu -> fc32", 16),
    Pair("twice the same", "128 -> fc128 relu -> add[ id | id ] -> fc32", 16),
    Pair("conv relu 6, he", "16x12x12 -> [conv48 3x3 p1 relu]*6 -> gap -> fc32", 8, slow=True),
    Pair("conv relu 6, small maps", "8x4x4 -> [conv48 3x3 p1 relu]*6 -> flatten fc32", 8, slow=True),
    Pair("conv 5x5 xavier tanh", "16x12x12 -> [conv32 3x3 p1 tanh]*3 -> flatten fc32", 8),
    Pair("conv tanh 6, small maps", "8x5x5 -> [conv48 3x3 p1 tanh]*6 -> flatten fc32", 8),
    Pair("conv bn relu", "16x12x12 -> [conv48 3x3 p1 bn relu]*4 -> gap -> fc32", 64, slow=True),
    Pair("conv bn relu strides", "8x16x16 -> [conv48 3x3 p1 s2 nobias bn relu]*3 -> flatten fc32", 8),
    Pair("conv gn relu", "16x12x12 -> [conv48 3x3 p1 gn4 relu]*4 -> gap -> fc32", 8),
    Pair("conv inorm relu", "16x12x12 -> [conv48 3x3 p1 inorm relu]*3 -> flatten fc32", 8),
    Pair("conv maxpool", "8x16x16 -> [conv48 3x3 p1 relu -> maxpool2]*3 -> flatten fc32", 8),
    Pair("conv bn maxpool", "8x17x17 -> [conv48 3x3 p1 bn relu -> maxpool3 s2]*2 -> flatten fc32", 8),
    Pair("conv avgpool", "8x16x16 -> [conv48 3x3 p1 tanh -> avgpool2]*3 -> flatten fc32", 8),
    Pair("depthwise", "16x12x12 -> [dwconv 3x3 p1 bn relu -> conv48 1x1 bn relu]*3 -> flatten fc32", 8),
    Pair("grouped, dilated", "32x14x14 -> [conv64 3x3 p2 d2 g2 relu]*3 -> gap -> fc32", 8, slow=True),
    Pair("transposed", "16x6x6 -> convt32 4x4 s2 p1 relu -> convt16 2x2 s2 relu -> conv8 3x3", 8),
    Pair("concat", "8x10x10 -> conv32 3x3 p1 relu -> concat[ conv32 1x1 relu | conv16 3x3 p1 relu ] -> conv32 3x3 relu -> flatten fc32", 8),
    Pair("squeeze, excite", "8x10x10 -> conv64 3x3 bn relu -> mul[ id | gap fc32 relu -> fc64 sigmoid ] -> conv64 3x3 bn relu -> flatten fc32", 8, slow=True),
    Pair("embed", "12 int -> embed50 64 pos -> ln fc64 gelu -> flatten fc32", 16),
    Pair("residual conv", "16x10x10 -> [add[ id | conv16 3x3 p1 bn relu -> conv16 3x3 p1 bn ] relu]*4 -> gap -> fc32", 64, slow=True),
    Pair("attention", "8x32 -> [add[ id | ln attn4 ] -> add[ id | ln fc64 gelu fc32 ]]*2 -> ln fc32", 16),
    Pair("zoo: ResNet-20", "vision/cifar_resnet20_b.nn", 96, slow=True),
    Pair("zoo: ResNet-20 A", "vision/cifar_resnet20_a.nn", 24, slow=True),
    Pair("zoo: MNIST ResNet", "vision/mnist_resnet.nn", 96, slow=True),
    Pair("zoo: LeNet-5", "vision/lenet5.nn", 32, slow=True),
    Pair("course: digits", "course/digits.nn", 32, slow=True),
    # Written down before any was measured; three rules were found wanting by them and mended.
    Pair("relu 3x64 default", "64 -> [fc64 relu]*3 -> fc10", 32, slow=True),
    Pair("relu 12x32 he", "32 -> [fc32(init=he) relu]*12 -> fc10", 16, slow=True),
    Pair("relu 8x512 he", "100 -> [fc512(init=he) relu]*8 -> fc10", 8, slow=True),
    Pair("relu 5x100 normal 0.05", "784 -> [fc100(init=normal(0.05)) relu]*5 -> fc10", 16, slow=True),
    Pair("relu 4x256 normal 0.01", "256 -> [fc256(init=normal(0.01)) relu]*4 -> fc10", 16, slow=True),
    Pair("relu funnel", "784 -> fc256 relu -> fc128 relu -> fc64 relu -> fc32 relu -> fc10", 16, slow=True),
    Pair("tanh 12x64 xavier", "64 -> [fc64(init=xavier) tanh]*12 -> fc10", 16, slow=True),
    Pair("tanh 5x256 lecun", "256 -> [fc256(init=lecun) tanh]*5 -> fc10", 16),
    Pair("tanh 4x100 normal 0.05", "100 -> [fc100(init=normal(0.05)) tanh]*4 -> fc10", 16),
    Pair("tanh 6x48 normal 0.3", "48 -> [fc48(init=normal(0.3)) tanh]*6 -> fc10", 16),
    Pair("sigmoid 3x32", "32 -> [fc32 sigmoid]*3 -> fc10", 32, slow=True),
    Pair("sigmoid 8x128 xavier_uniform", "128 -> [fc128(init=xavier_uniform) sigmoid]*8 -> fc10", 16, slow=True),
    Pair("gelu 12x64 he", "64 -> [fc64(init=he) gelu]*12 -> fc10", 16),
    Pair("gelu 4x384 xavier", "384 -> [fc384(init=xavier) gelu]*4 -> fc10", 16, slow=True),
    Pair("silu 8x96", "96 -> [fc96 silu]*8 -> fc10", 16),
    Pair("elu 10x48 he_uniform", "48 -> [fc48(init=he_uniform) elu]*10 -> fc10", 16, slow=True),
    Pair("selu 12x64 lecun", "64 -> [fc64(init=lecun) selu]*12 -> fc10", 16, slow=True),
    Pair("lrelu 10x96 he", "96 -> [fc96(init=he) lrelu]*10 -> fc10", 16, slow=True),
    Pair("relu 6x128 uniform 0.1", "128 -> [fc128(init=uniform(0.1)) relu]*6 -> fc10", 16, slow=True),
    Pair("relu6 5x64", "64 -> [fc64 relu6]*5 -> fc10", 16, slow=True),
    Pair("mish 6x128", "128 -> [fc128 mish]*6 -> fc10", 16, slow=True),
    Pair("dropout 4x200", "200 -> [fc200 relu dropout0.3]*4 -> fc10", 16, slow=True),
    Pair("bn 5x100 relu", "64 -> [fc100 bn relu]*5 -> fc10", 128, slow=True),
    Pair("bn 8x64 tanh", "64 -> [fc64 bn tanh]*8 -> fc10", 128),
    Pair("ln 6x64 relu", "64 -> [fc64 ln relu]*6 -> fc10", 16),
    Pair("ln 5x192 gelu", "192 -> [fc192 ln gelu]*5 -> fc10", 16, slow=True),
    Pair("residual mlp 8x96", "96 -> [add[ id | fc96 relu -> fc96 ]]*8 -> fc10", 16, slow=True),
    Pair("residual mlp post relu", "64 -> [add[ id | fc64 relu -> fc64 ] relu]*4 -> fc10", 16, slow=True),
    Pair("residual mlp preln", "128 -> [add[ id | ln fc256 relu -> fc128 ]]*6 -> ln fc10", 16, slow=True),
    Pair("conv relu 4 same", "3x16x16 -> [conv32 3x3 p1 relu]*4 -> flatten fc10", 8, slow=True),
    Pair("conv relu strides", "3x32x32 -> conv16 3x3 s2 p1 relu -> conv32 3x3 s2 p1 relu -> conv64 3x3 s2 p1 relu -> gap -> fc10", 8, slow=True),
    Pair("conv maxpool 2", "3x16x16 -> conv24 5x5 p2 relu -> maxpool2 -> conv48 5x5 p2 relu -> maxpool2 -> flatten fc10", 16, slow=True),
    Pair("conv tanh avgpool", "1x28x28 -> conv6 5x5 p2 tanh -> avgpool2 -> conv16 5x5 tanh -> avgpool2 -> flatten fc84 tanh -> fc10", 16, slow=True),
    Pair("conv bn relu 6", "3x20x20 -> [conv32 3x3 p1 nobias bn relu]*6 -> gap -> fc10", 32, slow=True),
    Pair("conv bn pool", "3x24x24 -> [conv32 3x3 p1 bn relu -> maxpool2]*3 -> flatten fc64 relu -> fc10", 32, slow=True),
    Pair("residual conv pre-bn", "16x12x12 -> [add[ id | bn relu conv16 3x3 p1 -> bn relu conv16 3x3 p1 ]]*3 -> bn relu -> gap -> fc10", 32, slow=True),
    Pair("digits", "course/digits.nn", 64),
    Pair("lenet5", "course/lenet5.nn", 32, slow=True),
    Pair("resnet20 b", "vision/cifar_resnet20_b.nn", 64, slow=True),
    Pair("mobilenet", "vision/mobilenet_v2.nn", 16, slow=True),
    Pair("vgg11", "vision/vgg11.nn", 2, slow=True),
    # A second time; two rules and the margin were mended.
    Pair("relu 20x256 he", "256 -> [fc256(init=he) relu]*20 -> fc10", 8, slow=True),
    Pair("tanh 20x128 xavier", "128 -> [fc128(init=xavier) tanh]*20 -> fc10", 8, slow=True),
    Pair("selu 6x40 lecun", "40 -> [fc40(init=lecun) selu]*6 -> fc10", 16),
    Pair("silu 5x200 he", "200 -> [fc200(init=he) silu]*5 -> fc10", 16, slow=True),
    Pair("gelu 8x160 lecun", "160 -> [fc160(init=lecun) gelu]*8 -> fc10", 16, slow=True),
    Pair("elu 3x32", "20 -> [fc32 elu]*3 -> fc10", 32),
    Pair("relu 4x8", "4 -> [fc8 relu]*4 -> fc3", 32, slow=True),
    Pair("iris mlp", "4 -> fc16 relu -> fc16 relu -> fc3", 32, slow=True),
    Pair("tanh sigmoid relu", "30 -> fc64 tanh -> fc64 sigmoid -> fc64 relu -> fc1", 32, slow=True),
    Pair("softplus 8x64", "64 -> [fc64 softplus]*8 -> fc10", 16),
    Pair("mish 10x80", "80 -> [fc80 mish]*10 -> fc10", 16, slow=True),
    Pair("bn 3x32 relu", "16 -> [fc32 bn relu]*3 -> fc10", 256),
    Pair("bn 10x256 relu", "256 -> [fc256 nobias bn relu]*10 -> fc10", 256, slow=True),
    Pair("bn 3x128 sigmoid", "128 -> [fc128 bn sigmoid]*3 -> fc10", 256, slow=True),
    Pair("bn after relu", "100 -> [fc100 relu bn]*3 -> fc10", 256),
    Pair("ln 2x16 relu", "16 -> fc16 ln relu -> fc16 ln relu -> fc10", 32),
    Pair("ln 8x512 relu", "512 -> [fc512 ln relu]*8 -> fc10", 8, slow=True),
    Pair("rms 6x96 silu", "96 -> [fc96 rms silu]*6 -> fc10", 16, slow=True),
    Pair("residual tanh", "64 -> [add[ id | fc64 tanh ]]*6 -> fc10", 16),
    Pair("residual relu stream", "100 -> [add[ id | fc100 relu ]]*5 -> fc10", 16, slow=True),
    Pair("dropout 6x64 0.5", "64 -> [fc64 relu dropout0.5]*6 -> fc10", 16, slow=True),
    Pair("conv tanh 3 valid", "3x20x20 -> [conv16 3x3 tanh]*3 -> flatten fc10", 8),
    Pair("conv sigmoid pool", "1x28x28 -> conv20 5x5 sigmoid -> maxpool2 -> conv40 5x5 sigmoid -> maxpool2 -> flatten fc100 sigmoid -> fc10", 16, slow=True),
    Pair("conv pool before relu", "3x16x16 -> conv16 3x3 p1 -> maxpool2 -> relu -> conv32 3x3 p1 -> maxpool2 -> relu -> flatten fc10", 16, slow=True),
    Pair("vgg bn small", "3x32x32 -> [conv32 3x3 p1 bn relu]*2 -> maxpool2 -> [conv64 3x3 p1 bn relu]*2 -> maxpool2 -> flatten fc128 relu dropout0.5 -> fc10", 32, slow=True),
    Pair("conv silu gap", "3x16x16 -> [conv24 3x3 p1 silu]*3 -> gap -> fc10", 16, slow=True),
    Pair("conv strided bn lrelu", "3x32x32 -> conv32 4x4 s2 p1 lrelu0.2 -> conv64 4x4 s2 p1 bn lrelu0.2 -> conv128 4x4 s2 p1 bn lrelu0.2 -> flatten fc1", 32, slow=True),
    Pair("conv7 overlap pool", "3x48x48 -> conv32 7x7 s2 p3 bn relu -> maxpool3 s2 p1 -> conv32 3x3 p1 bn relu -> gap -> fc10", 16, slow=True),
    Pair("inception", "16x12x12 -> concat[ conv16 1x1 relu | conv16 3x3 p1 relu | conv16 5x5 p2 relu ] -> concat[ conv16 1x1 relu | conv16 3x3 p1 relu ] -> gap -> fc10", 8, slow=True),
    Pair("dense block", "16x10x10 -> concat[ id | bn relu conv16 3x3 p1 ] -> concat[ id | bn relu conv16 3x3 p1 ] -> bn relu gap -> fc10", 48, slow=True),
    Pair("preact resnet", "3x16x16 -> conv32 3x3 p1 -> [add[ id | bn relu conv32 3x3 p1 -> bn relu conv32 3x3 p1 ]]*4 -> bn relu -> gap -> fc10", 48, slow=True),
    Pair("conv1d", "4x64 -> conv32 5 p2 relu -> maxpool2 -> conv32 5 p2 relu -> maxpool2 -> flatten fc64 relu -> fc5", 16),
    Pair("gelu then bn deep", "128 -> fc128 gelu -> fc128 gelu -> fc128 bn gelu -> fc128 gelu -> fc10", 128),
    Pair("conv avgpool relu deep", "3x32x32 -> [conv16 3x3 p1 relu -> avgpool2]*3 -> flatten fc10", 16, slow=True),
    Pair("uniform tiny init", "50 -> [fc50(init=uniform(0.05)) tanh]*5 -> fc10", 16),
    # A third time: nothing was changed after these.
    Pair("softplus 5x100", "100 -> [fc100 softplus]*5 -> fc10", 16, slow=True),
    Pair("gelu 6x90 he", "90 -> [fc90(init=he) gelu]*6 -> fc10", 16, slow=True),
    Pair("tanh 6x24 normal 0.5", "24 -> [fc24(init=normal(0.5)) tanh]*6 -> fc10", 16, slow=True),
    Pair("silu 3x48 normal 0.3", "48 -> [fc48(init=normal(0.3)) silu]*3 -> fc10", 16, slow=True),
    Pair("relu6 8x200 he_uniform", "200 -> [fc200(init=he_uniform) relu6]*8 -> fc10", 16, slow=True),
    Pair("hswish 5x120", "120 -> [fc120 hswish]*5 -> fc10", 16, slow=True),
    Pair("bn 6x160 gelu", "80 -> [fc160 bn gelu]*6 -> fc10", 256, slow=True),
    Pair("bn 4x48 elu", "48 -> [fc48 bn elu]*4 -> fc10", 256),
    Pair("ln 4x80 tanh", "80 -> [fc80 ln tanh]*4 -> fc10", 16),
    Pair("ln before", "144 -> [ln fc144 relu]*5 -> fc10", 16, slow=True),
    Pair("residual gelu", "72 -> [add[ id | fc144 gelu -> fc72 ]]*5 -> fc10", 16, slow=True),
    Pair("residual bn", "64 -> [add[ id | bn relu fc64 ]]*6 -> fc10", 256, slow=True),
    Pair("conv relu valid", "3x24x24 -> conv12 5x5 relu -> conv24 3x3 relu -> conv48 3x3 s2 relu -> flatten fc64 relu -> fc10", 16, slow=True),
    Pair("conv elu pool", "3x16x16 -> conv32 3x3 p1 elu -> maxpool2 -> conv64 3x3 p1 elu -> maxpool2 -> flatten fc64 elu -> fc10", 16, slow=True),
    Pair("conv relu avgpool flat", "8x12x12 -> conv32 3x3 relu -> avgpool2 -> conv32 3x3 relu -> flatten fc10", 16, slow=True),
    Pair("conv bn tanh gap", "4x14x14 -> [conv24 3x3 p1 bn tanh]*3 -> gap -> fc10", 48, slow=True),
    Pair("gray valid pool", "1x20x20 -> conv16 3x3 relu -> maxpool2 -> conv32 3x3 relu -> maxpool2 -> flatten fc10", 16),
    Pair("conv dropout", "6x10x10 -> conv32 3x3 relu dropout0.2 -> conv32 3x3 relu dropout0.2 -> gap -> fc10", 16, slow=True),
    Pair("dw separable", "16x12x12 -> conv32 1x1 bn relu -> [dwconv 3x3 p1 bn relu -> conv64 1x1 bn relu]*2 -> gap -> fc10", 48, slow=True),
    Pair("conv strided residual", "16x16x16 -> add[ conv32 1x1 s2 | conv32 3x3 s2 p1 relu -> conv32 3x3 p1 ] -> bn relu -> gap -> fc10", 48, slow=True),
    Pair("1d bn", "3x50 -> conv16 7 p3 bn relu -> conv32 5 s2 bn relu -> conv32 3 bn relu -> gap -> fc6", 48, slow=True),
    Pair("grouped conv", "32x10x10 -> [conv32 3x3 p1 g4 relu]*3 -> flatten fc10", 16, slow=True),
    Pair("vgg no bn", "3x16x16 -> [conv32 3x3 p1 relu]*2 -> maxpool2 -> [conv64 3x3 p1 relu]*2 -> maxpool2 -> flatten fc128 relu -> fc10", 8, slow=True),
    Pair("mixed widths tanh", "12 -> fc300 tanh -> fc20 tanh -> fc300 tanh -> fc2", 16, slow=True),
    # With PyTorch's defaults, whose biases are drawn, and with orthogonal matrices.
    Pair("torch relu 4x128", "128 -> [fc128(init=torch) relu]*4 -> fc10(init=torch)", 16),
    Pair("torch tanh 3x64", "64 -> [fc64(init=torch) tanh]*3 -> fc10(init=torch)", 16),
    Pair("torch narrow", "4 -> fc16(init=torch) relu -> fc16(init=torch) relu -> fc3(init=torch)", 32),
    Pair("torch conv", "3x16x16 -> [conv32(init=torch) 3x3 p1 relu]*3 -> flatten fc10(init=torch)", 8),
    Pair("torch conv bn", "3x16x16 -> [conv32(init=torch) 3x3 p1 bn relu]*3 -> flatten fc10(init=torch)", 32),
    Pair("orthogonal tanh 8x64", "64 -> [fc64(init=orthogonal) tanh]*8 -> fc10", 16),
    Pair("orthogonal relu 6x128", "128 -> [fc128(init=orthogonal(1.4142135)) relu]*6 -> fc32", 16),
    Pair("orthogonal widths", "50 -> fc200(init=orthogonal) gelu -> fc40(init=orthogonal) gelu -> fc10", 16),
    Pair("orthogonal bn", "64 -> [fc100(init=orthogonal) bn relu]*3 -> fc10", 128),
    Pair("orthogonal conv", "8x12x12 -> [conv32(init=orthogonal(1.4142135)) 3x3 p1 relu]*3 -> flatten fc10", 8),
)  # fmt: skip
