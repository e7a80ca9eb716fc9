// SPDX-License-Identifier: Apache-2.0
#include "core/scan/tensorflow_ops.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_set>

#include "core/base/text.hpp"

namespace impound {
namespace {

struct Category {
  std::string_view name;
  std::string_view ops;  ///< separated by blanks
};

constexpr std::array kCategories{
    Category{"arrays",
             "Add AddN AddV2 BatchToSpace BatchToSpaceND Bitcast "
             "BroadcastArgs BroadcastGradientArgs BroadcastTo CheckNumerics "
             "CheckNumericsV2 Concat ConcatOffset ConcatV2 "
             "ConjugateTranspose Const Copy CopyHost DebugGradientIdentity "
             "DebugGradientRefIdentity DeepCopy DepthToSpace Dequantize Diag "
             "DiagPart EditDistance Empty EnsureShape ExpandDims "
             "ExtractImagePatches ExtractVolumePatches "
             "FakeQuantWithMinMaxArgs FakeQuantWithMinMaxArgsGradient "
             "FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsGradient "
             "FakeQuantWithMinMaxVarsPerChannel "
             "FakeQuantWithMinMaxVarsPerChannelGradient Fill Fingerprint "
             "Gather GatherNd GatherV2 GuaranteeConst Identity IdentityN "
             "InplaceAdd InplaceSub InplaceUpdate InvertPermutation ListDiff "
             "LowerBound MatrixBandPart MatrixDiag MatrixDiagPart "
             "MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 "
             "MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MirrorPad "
             "MirrorPadGrad OneHot OnesLike Pack Pad PadV2 ParallelConcat "
             "Placeholder PlaceholderV2 PlaceholderWithDefault "
             "PreventGradient QuantizeAndDequantize QuantizeAndDequantizeV2 "
             "QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2 "
             "QuantizedConcat QuantizedInstanceNorm QuantizedReshape Rank "
             "RefIdentity Reshape ResourceStridedSliceAssign Reverse "
             "ReverseSequence ReverseV2 ScatterNd ScatterNdNonAliasingAdd "
             "Shape ShapeN Size Slice Snapshot SpaceToBatch SpaceToBatchND "
             "SpaceToDepth Split SplitV Squeeze StopGradient StridedSlice "
             "StridedSliceAssign StridedSliceGrad TensorScatterAdd "
             "TensorScatterMax TensorScatterMin TensorScatterSub "
             "TensorScatterUpdate TensorStridedSliceUpdate Tile TileGrad "
             "Transpose Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 "
             "Unpack UnravelIndex UpperBound Where ZerosLike"},
    Category{"math",
             "Abs AccumulateNV2 Acos Acosh All Angle Any ApproximateEqual "
             "ArgMax ArgMin Asin Asinh Atan Atan2 Atanh BatchMatMul "
             "BatchMatMulV2 BatchMatMulV3 BesselI0 BesselI0e BesselI1 "
             "BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1 "
             "BesselK1e BesselY0 BesselY1 Betainc Bincount BitwiseAnd "
             "BitwiseOr BitwiseXor Bucketize Cast Ceil ClipByValue "
             "CompareAndBitpack Complex ComplexAbs Conj Cos Cosh Cross "
             "Cumprod Cumsum CumulativeLogsumexp Dawsn DenseBincount Digamma "
             "Div DivNoNan Einsum Equal Erf Erfc Erfinv EuclideanNorm Exp "
             "Expint Expm1 Floor FloorDiv FloorMod FresnelCos FresnelSin "
             "Greater GreaterEqual HistogramFixedWidth Igamma IgammaGradA "
             "Igammac Imag Inv InvGrad Invert IsFinite IsInf IsNan LeftShift "
             "Less LessEqual Lgamma LinSpace Log Log1p LogicalAnd LogicalNot "
             "LogicalOr MatMul Max Maximum Mean Min Minimum Mod Mul MulNoNan "
             "Ndtri Neg NextAfter NotEqual Polygamma PopulationCount Pow "
             "Prod QuantizedAdd QuantizedMatMul QuantizedMul RaggedBincount "
             "RaggedRange Range Real RealDiv Reciprocal ReciprocalGrad "
             "RequantizationRange RequantizationRangePerChannel Requantize "
             "RequantizePerChannel RightShift Rint Round Rsqrt RsqrtGrad "
             "SegmentMax SegmentMaxV2 SegmentMean SegmentMin SegmentMinV2 "
             "SegmentProd SegmentProdV2 SegmentSum SegmentSumV2 Select "
             "SelectV2 Sigmoid SigmoidGrad Sign Sin Sinh SobolSample "
             "SparseBincount SparseMatMul SparseSegmentMean "
             "SparseSegmentMeanGrad SparseSegmentMeanWithNumSegments "
             "SparseSegmentSqrtN SparseSegmentSqrtNGrad "
             "SparseSegmentSqrtNWithNumSegments SparseSegmentSum "
             "SparseSegmentSumGrad SparseSegmentSumWithNumSegments Spence "
             "Sqrt SqrtGrad Square SquaredDifference Sub Sum Tan Tanh "
             "TanhGrad TruncateDiv TruncateMod UnsortedSegmentMax "
             "UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum "
             "Xdivy Xlog1py Xlogy Zeta"},
    Category{"nn",
             "ApproxTopK AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad "
             "BatchNormWithGlobalNormalization "
             "BatchNormWithGlobalNormalizationGrad BiasAdd BiasAddGrad "
             "BiasAddV1 BlockLSTM BlockLSTMGrad BlockLSTMGradV2 BlockLSTMV2 "
             "CTCBeamSearchDecoder CTCGreedyDecoder CTCLoss CTCLossV2 Conv "
             "Conv2D Conv2DBackpropFilter Conv2DBackpropFilterV2 "
             "Conv2DBackpropInput Conv2DBackpropInputV2 Conv3D "
             "Conv3DBackpropFilter Conv3DBackpropFilterV2 "
             "Conv3DBackpropInput Conv3DBackpropInputV2 CudnnRNN "
             "CudnnRNNBackprop CudnnRNNBackpropV2 CudnnRNNBackpropV3 "
             "CudnnRNNCanonicalToParams CudnnRNNCanonicalToParamsV2 "
             "CudnnRNNParamsSize CudnnRNNParamsToCanonical "
             "CudnnRNNParamsToCanonicalV2 CudnnRNNV2 CudnnRNNV3 "
             "DataFormatDimMap DataFormatVecPermute DepthwiseConv2dNative "
             "DepthwiseConv2dNativeBackpropFilter "
             "DepthwiseConv2dNativeBackpropInput Dilation2D "
             "Dilation2DBackpropFilter Dilation2DBackpropInput Elu EluGrad "
             "FractionalAvgPool FractionalAvgPoolGrad FractionalMaxPool "
             "FractionalMaxPoolGrad FusedBatchNorm FusedBatchNormGrad "
             "FusedBatchNormGradV2 FusedBatchNormGradV3 FusedBatchNormV2 "
             "FusedBatchNormV3 FusedPadConv2D FusedResizeAndPadConv2D "
             "GRUBlockCell GRUBlockCellGrad InTopK InTopKV2 InstanceNorm "
             "IsotonicRegression L2Loss LRN LRNGrad LSTMBlockCell "
             "LSTMBlockCellGrad LeakyRelu LeakyReluGrad LogSoftmax MaxPool "
             "MaxPool3D MaxPool3DGrad MaxPool3DGradGrad MaxPoolGrad "
             "MaxPoolGradGrad MaxPoolGradGradV2 MaxPoolGradGradWithArgmax "
             "MaxPoolGradV2 MaxPoolGradWithArgmax MaxPoolV2 "
             "MaxPoolWithArgmax NthElement QuantizedAvgPool "
             "QuantizedBatchNormWithGlobalNormalization QuantizedBiasAdd "
             "QuantizedConv2D QuantizedMaxPool QuantizedRelu QuantizedRelu6 "
             "QuantizedReluX Relu Relu6 Relu6Grad ReluGrad Selu SeluGrad "
             "Softmax SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad "
             "Softsign SoftsignGrad SparseSoftmaxCrossEntropyWithLogits TopK "
             "TopKUnique TopKV2 TopKWithUnique UniformDequantize "
             "UniformQuantize UniformQuantizedAdd "
             "UniformQuantizedClipByValue UniformQuantizedConvolution "
             "UniformQuantizedConvolutionHybrid UniformQuantizedDot "
             "UniformQuantizedDotHybrid UniformRequantize _FusedBatchNormEx "
             "_FusedConv2D _FusedMatMul"},
    Category{"control flow and functions",
             "Assert BatchFunction Case ControlTrigger DeviceIndex "
             "EmptyTensorList EmptyTensorMap Enter Exit FakeParam For If "
             "LoopCond Merge NextIteration NoOp OptionalFromValue "
             "OptionalGetValue OptionalHasValue OptionalNone PartitionedCall "
             "RefEnter RefExit RefMerge RefNextIteration RefSelect RefSwitch "
             "StatefulPartitionedCall StatelessCase StatelessIf "
             "StatelessWhile Switch SymbolicGradient TensorListConcat "
             "TensorListConcatLists TensorListConcatV2 "
             "TensorListElementShape TensorListFromTensor TensorListGather "
             "TensorListGetItem TensorListLength TensorListPopBack "
             "TensorListPushBack TensorListPushBackBatch TensorListReserve "
             "TensorListResize TensorListScatter "
             "TensorListScatterIntoExistingList TensorListScatterV2 "
             "TensorListSetItem TensorListSplit TensorListStack "
             "TensorMapErase TensorMapHasKey TensorMapInsert TensorMapLookup "
             "TensorMapSize TensorMapStackKeys Timestamp ToBool While "
             "XlaCallModule XlaLaunch XlaSharding XlaSpmdFullToShardShape "
             "XlaSpmdShardToFullShape _Arg _DeviceArg _DeviceRetval _If "
             "_Retval _While"},
    Category{"variables",
             "Assign AssignAdd AssignAddVariableOp AssignSub "
             "AssignSubVariableOp AssignVariableOp AssignVariableXlaConcatND "
             "ConsumeMutexLock CountUpTo DestroyResourceOp "
             "DestroyTemporaryVariable DisableCopyOnRead "
             "IsVariableInitialized MutexLock MutexV2 ReadVariableOp "
             "ReadVariableXlaSplitND ResourceCountUpTo ResourceGather "
             "ResourceGatherNd ResourceScatterAdd ResourceScatterDiv "
             "ResourceScatterMax ResourceScatterMin ResourceScatterMul "
             "ResourceScatterNdAdd ResourceScatterNdMax ResourceScatterNdMin "
             "ResourceScatterNdSub ResourceScatterNdUpdate "
             "ResourceScatterSub ResourceScatterUpdate ScatterAdd ScatterDiv "
             "ScatterMax ScatterMin ScatterMul ScatterNdAdd ScatterNdMax "
             "ScatterNdMin ScatterNdSub ScatterNdUpdate ScatterSub "
             "ScatterUpdate TemporaryVariable VarHandleOp VarIsInitializedOp "
             "Variable VariableShape VariableV2 _ReadVariablesOp "
             "_VarHandlesOp"},
    Category{"training",
             "ApplyAdaMax ApplyAdadelta ApplyAdagrad ApplyAdagradDA "
             "ApplyAdagradV2 ApplyAdam ApplyAddSign ApplyCenteredRMSProp "
             "ApplyFtrl ApplyFtrlV2 ApplyGradientDescent ApplyMomentum "
             "ApplyPowerSign ApplyProximalAdagrad "
             "ApplyProximalGradientDescent ApplyRMSProp ResourceApplyAdaMax "
             "ResourceApplyAdadelta ResourceApplyAdagrad "
             "ResourceApplyAdagradDA ResourceApplyAdagradV2 "
             "ResourceApplyAdam ResourceApplyAdamWithAmsgrad "
             "ResourceApplyAddSign ResourceApplyCenteredRMSProp "
             "ResourceApplyFtrl ResourceApplyFtrlV2 "
             "ResourceApplyGradientDescent ResourceApplyKerasMomentum "
             "ResourceApplyMomentum ResourceApplyPowerSign "
             "ResourceApplyProximalAdagrad "
             "ResourceApplyProximalGradientDescent ResourceApplyRMSProp "
             "ResourceSparseApplyAdadelta ResourceSparseApplyAdagrad "
             "ResourceSparseApplyAdagradDA ResourceSparseApplyAdagradV2 "
             "ResourceSparseApplyCenteredRMSProp ResourceSparseApplyFtrl "
             "ResourceSparseApplyFtrlV2 ResourceSparseApplyKerasMomentum "
             "ResourceSparseApplyMomentum ResourceSparseApplyProximalAdagrad "
             "ResourceSparseApplyProximalGradientDescent "
             "ResourceSparseApplyRMSProp SparseApplyAdadelta "
             "SparseApplyAdagrad SparseApplyAdagradDA SparseApplyAdagradV2 "
             "SparseApplyCenteredRMSProp SparseApplyFtrl SparseApplyFtrlV2 "
             "SparseApplyMomentum SparseApplyProximalAdagrad "
             "SparseApplyProximalGradientDescent SparseApplyRMSProp"},
    Category{"random",
             "AllCandidateSampler AnonymousRandomSeedGenerator "
             "AnonymousSeedGenerator ComputeAccidentalHits "
             "FixedUnigramCandidateSampler LearnedUnigramCandidateSampler "
             "LogUniformCandidateSampler Multinomial NonDeterministicInts "
             "ParameterizedTruncatedNormal RandomGamma RandomGammaGrad "
             "RandomIndexShuffle RandomPoisson RandomPoissonV2 RandomShuffle "
             "RandomStandardNormal RandomUniform RandomUniformInt "
             "RngReadAndSkip RngSkip StatefulRandomBinomial "
             "StatefulStandardNormal StatefulStandardNormalV2 "
             "StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt "
             "StatefulUniformInt StatelessMultinomial "
             "StatelessParameterizedTruncatedNormal StatelessRandomBinomial "
             "StatelessRandomGammaV2 StatelessRandomGammaV3 "
             "StatelessRandomGetAlg StatelessRandomGetKeyCounter "
             "StatelessRandomGetKeyCounterAlg StatelessRandomNormal "
             "StatelessRandomNormalV2 StatelessRandomPoisson "
             "StatelessRandomUniform StatelessRandomUniformFullInt "
             "StatelessRandomUniformFullIntV2 StatelessRandomUniformInt "
             "StatelessRandomUniformIntV2 StatelessRandomUniformV2 "
             "StatelessSampleDistortedBoundingBox StatelessShuffle "
             "StatelessTruncatedNormal StatelessTruncatedNormalV2 "
             "ThreadUnsafeUnigramCandidateSampler TruncatedNormal "
             "UniformCandidateSampler"},
    Category{"strings and parsing",
             "AsString DecodeBase64 DecodeCSV DecodeCompressed "
             "DecodeJSONExample DecodePaddedRaw DecodeProtoV2 DecodeRaw "
             "EncodeBase64 EncodeProto ParseExample ParseExampleV2 "
             "ParseSequenceExample ParseSequenceExampleV2 ParseSingleExample "
             "ParseSingleSequenceExample ParseTensor Print RaggedCross "
             "ReduceJoin RegexFullMatch RegexReplace SdcaFprint "
             "SerializeTensor ShardedFilename ShardedFilespec SparseCross "
             "SparseCrossHashed SparseCrossV2 SparseFeatureCross "
             "SparseFeatureCrossV2 StaticRegexFullMatch StaticRegexReplace "
             "StringFormat StringJoin StringLength StringLower StringNGrams "
             "StringSplit StringSplitV2 StringStrip StringToHashBucket "
             "StringToHashBucketFast StringToHashBucketStrong StringToNumber "
             "StringUpper Substr UnicodeDecode UnicodeDecodeWithOffsets "
             "UnicodeEncode UnicodeScript UnicodeTranscode "
             "UnsortedSegmentJoin"},
    Category{"tables",
             "AnonymousHashTable AnonymousMutableDenseHashTable "
             "AnonymousMutableHashTable AnonymousMutableHashTableOfTensors "
             "HashTable HashTableV2 InitializeTable InitializeTableV2 "
             "LookupTableExport LookupTableExportV2 LookupTableFind "
             "LookupTableFindV2 LookupTableImport LookupTableImportV2 "
             "LookupTableInsert LookupTableInsertV2 LookupTableRemoveV2 "
             "LookupTableSize LookupTableSizeV2 MutableDenseHashTable "
             "MutableDenseHashTableV2 MutableHashTable "
             "MutableHashTableOfTensors MutableHashTableOfTensorsV2 "
             "MutableHashTableV2 Stack StackClose StackCloseV2 StackPop "
             "StackPopV2 StackPush StackPushV2 StackV2 TensorArray "
             "TensorArrayClose TensorArrayCloseV2 TensorArrayCloseV3 "
             "TensorArrayConcat TensorArrayConcatV2 TensorArrayConcatV3 "
             "TensorArrayGather TensorArrayGatherV2 TensorArrayGatherV3 "
             "TensorArrayGrad TensorArrayGradV2 TensorArrayGradV3 "
             "TensorArrayGradWithShape TensorArrayPack TensorArrayRead "
             "TensorArrayReadV2 TensorArrayReadV3 TensorArrayScatter "
             "TensorArrayScatterV2 TensorArrayScatterV3 TensorArraySize "
             "TensorArraySizeV2 TensorArraySizeV3 TensorArraySplit "
             "TensorArraySplitV2 TensorArraySplitV3 TensorArrayUnpack "
             "TensorArrayV2 TensorArrayV3 TensorArrayWrite "
             "TensorArrayWriteV2 TensorArrayWriteV3"},
    Category{"images and sound",
             "AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation "
             "AudioSpectrogram CombinedNonMaxSuppression CropAndResize "
             "CropAndResizeGradBoxes CropAndResizeGradImage "
             "DecodeAndCropJpeg DecodeBmp DecodeGif DecodeImage DecodeJpeg "
             "DecodePng DecodeWav DecodeWebP DrawBoundingBoxes "
             "DrawBoundingBoxesV2 EncodeJpeg EncodeJpegVariableQuality "
             "EncodePng EncodeWav ExtractGlimpse ExtractGlimpseV2 "
             "ExtractJpegShape GenerateBoundingBoxProposals HSVToRGB "
             "ImageProjectiveTransformV2 ImageProjectiveTransformV3 Mfcc "
             "NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 "
             "NonMaxSuppressionV4 NonMaxSuppressionV5 "
             "NonMaxSuppressionWithOverlaps QuantizedResizeBilinear RGBToHSV "
             "RandomCrop ResizeArea ResizeBicubic ResizeBicubicGrad "
             "ResizeBilinear ResizeBilinearGrad ResizeNearestNeighbor "
             "ResizeNearestNeighborGrad SampleDistortedBoundingBox "
             "SampleDistortedBoundingBoxV2 ScaleAndTranslate "
             "ScaleAndTranslateGrad Skipgram"},
    Category{"linear algebra and signals",
             "BandedTriangularSolve BatchCholesky BatchCholeskyGrad BatchFFT "
             "BatchFFT2D BatchFFT3D BatchIFFT BatchIFFT2D BatchIFFT3D "
             "BatchMatrixBandPart BatchMatrixDeterminant BatchMatrixDiag "
             "BatchMatrixDiagPart BatchMatrixInverse BatchMatrixSetDiag "
             "BatchMatrixSolve BatchMatrixSolveLs BatchMatrixTriangularSolve "
             "BatchSelfAdjointEig BatchSelfAdjointEigV2 BatchSvd Cholesky "
             "CholeskyGrad Eig FFT FFT2D FFT3D FFTND IFFT IFFT2D IFFT3D "
             "IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND LogMatrixDeterminant Lu "
             "MatrixDeterminant MatrixExponential MatrixInverse "
             "MatrixLogarithm MatrixSolve MatrixSolveLs MatrixSquareRoot "
             "MatrixTriangularSolve Qr RFFT RFFT2D RFFT3D RFFTND "
             "SelfAdjointEig SelfAdjointEigV2 Svd TridiagonalMatMul "
             "TridiagonalSolve"},
    Category{"sparse and ragged",
             "AddManySparseToTensorsMap AddSparseToTensorsMap "
             "CSRSparseMatrixComponents CSRSparseMatrixToDense "
             "CSRSparseMatrixToSparseTensor DenseCountSparseOutput "
             "DenseToCSRSparseMatrix DenseToDenseSetOperation "
             "DenseToSparseSetOperation DeserializeManySparse "
             "DeserializeSparse RaggedCountSparseOutput RaggedFillEmptyRows "
             "RaggedFillEmptyRowsGrad RaggedGather RaggedTensorFromVariant "
             "RaggedTensorToSparse RaggedTensorToTensor "
             "RaggedTensorToVariant RaggedTensorToVariantGradient "
             "SerializeManySparse SerializeSparse SetSize "
             "SparseAccumulatorApplyGradient SparseAdd SparseAddGrad "
             "SparseConcat SparseConditionalAccumulator "
             "SparseCountSparseOutput SparseDenseCwiseAdd "
             "SparseDenseCwiseDiv SparseDenseCwiseMul SparseFillEmptyRows "
             "SparseFillEmptyRowsGrad SparseMatrixAdd SparseMatrixMatMul "
             "SparseMatrixMul SparseMatrixNNZ SparseMatrixOrderingAMD "
             "SparseMatrixSoftmax SparseMatrixSoftmaxGrad "
             "SparseMatrixSparseCholesky SparseMatrixSparseMatMul "
             "SparseMatrixTranspose SparseMatrixZeros SparseReduceMax "
             "SparseReduceMaxSparse SparseReduceSum SparseReduceSumSparse "
             "SparseReorder SparseReshape SparseSlice SparseSliceGrad "
             "SparseSoftmax SparseSparseMaximum SparseSparseMinimum "
             "SparseSplit SparseTensorDenseAdd SparseTensorDenseMatMul "
             "SparseTensorToCSRSparseMatrix SparseToDense "
             "SparseToSparseSetOperation TakeManySparseFromTensorsMap"},
    Category{"models of trees and text (TF Decision Forests, TF Text)",
             "BoostedTreesBucketize BoostedTreesCreateEnsemble "
             "BoostedTreesCreateQuantileStreamResource "
             "BoostedTreesDeserializeEnsemble "
             "BoostedTreesEnsembleResourceHandleOp "
             "BoostedTreesExampleDebugOutputs BoostedTreesGetEnsembleStates "
             "BoostedTreesPredict "
             "BoostedTreesQuantileStreamResourceDeserialize "
             "BoostedTreesQuantileStreamResourceGetBucketBoundaries "
             "BoostedTreesQuantileStreamResourceHandleOp "
             "BoostedTreesSerializeEnsemble CaseFoldUTF8 ConstrainedSequence "
             "FastBertNormalize FastWordpieceTokenizeWithOffsets "
             "IsBoostedTreesEnsembleInitialized "
             "IsBoostedTreesQuantileStreamResourceInitialized "
             "MaxSpanningTree NgramsStringJoin NormalizeUTF8 "
             "RaggedTensorToTensorList RegexSplitWithOffsets RougeL "
             "SentencepieceDetokenizeOp SentencepieceIdToStringOp "
             "SentencepieceOp SentencepieceTokenizeOp "
             "SentencepieceTokenizeWithOffsetsOp SentencepieceVocabSizeOp "
             "SplitMergeTokenizeWithOffsets UnicodeScriptTokenizeWithOffsets "
             "WhitespaceTokenizeWithOffsets WordpieceTokenizeWithOffsets"},
    Category{"data",
             "AnonymousIterator AnonymousIteratorV2 AnonymousIteratorV3 "
             "AnonymousMultiDeviceIterator AudioSummary AudioSummaryV2 "
             "BatchDataset BatchDatasetV2 CacheDatasetV2 ConcatenateDataset "
             "DatasetCardinality DatasetToSingleElement DeleteIterator "
             "DeleteMultiDeviceIterator FilterDataset FlatMapDataset "
             "HistogramSummary ImageSummary InterleaveDataset Iterator "
             "IteratorGetNext IteratorGetNextAsOptional IteratorGetNextSync "
             "IteratorToStringHandle IteratorV2 MakeIterator "
             "MapAndBatchDataset MapDataset MergeSummary ModelDataset "
             "OneShotIterator OptimizeDataset OptimizeDatasetV2 "
             "OptionsDataset PaddedBatchDataset PaddedBatchDatasetV2 "
             "ParallelInterleaveDatasetV4 ParallelMapDataset "
             "ParallelMapDatasetV2 PrefetchDataset RangeDataset "
             "RebatchDataset ReduceDataset RepeatDataset ScalarSummary "
             "ShardDataset ShuffleAndRepeatDatasetV2 ShuffleDataset "
             "ShuffleDatasetV2 ShuffleDatasetV3 SkipDataset "
             "SparseTensorSliceDataset TakeDataset TensorDataset "
             "TensorSliceDataset TensorSummary TensorSummaryV2 "
             "UnbatchDataset WindowDataset ZipDataset"},
};

}  // namespace

bool only_computes(std::string_view op) {
  static const std::unordered_set<std::string_view> known = [] {
    std::unordered_set<std::string_view> all;
    for (const Category& category : kCategories) {
      std::string_view rest = category.ops;
      while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(' '), rest.size());
        all.insert(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }
    return all;
  }();
  return known.contains(op);
}

Json tensorflow_ops_to_json() {
  Json json = Json::object();
  for (const Category& category : kCategories) {
    Json& ops = json[std::string(category.name)] = Json::array();
    for (const std::string& op : split(category.ops, ' ')) ops.push_back(op);
  }
  return json;
}

}  // namespace impound
