// SPDX-License-Identifier: Apache-2.0
/// The allow-lists. A name is here if importing and calling it with any
/// arguments neither runs code of the arguments' choice nor touches a file, the
/// network or a process. Names that do with some arguments only are in
/// guarded_names.cpp.

#include <array>

#include "core/scan/pickle_lists.hpp"

namespace impound {
namespace {

// torch 2.6, torch/_weights_only_unpickler.py, _get_allowed_globals().
constexpr std::array kWeightsOnly{
    NameList{"collections", "OrderedDict Counter"},
    NameList{"_codecs", "encode"},
    NameList{"builtins", "bytearray set complex"},
    NameList{"torch.nn.parameter", "Parameter"},
    NameList{"torch.serialization", "_get_layout"},
    NameList{"torch",
             "Size Tensor device "
             "float float16 float32 float64 half double bfloat16 "
             "float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz "
             "float8_e8m0fnu float4_e2m1fn_x2 "
             "complex32 complex64 complex128 chalf cfloat cdouble "
             "uint8 uint16 uint32 uint64 int8 int16 int32 int64 short int "
             "long bool quint8 qint8 qint32 quint4x2 quint2x4 "
             "bits1x8 bits2x4 bits4x2 bits8 bits16 uint1 uint2 uint3 uint4 "
             "uint5 uint6 uint7 int1 int2 int3 int4 int5 int6 int7 "
             "per_tensor_affine per_channel_affine per_tensor_symmetric "
             "per_channel_symmetric per_channel_affine_float_qparams "
             "DoubleStorage FloatStorage LongStorage IntStorage ShortStorage "
             "CharStorage ByteStorage HalfStorage BoolStorage QInt32Storage "
             "QUInt8Storage QInt8Storage BFloat16Storage ComplexFloatStorage "
             "ComplexDoubleStorage QUInt4x2Storage QUInt2x4Storage "
             "DoubleTensor FloatTensor LongTensor IntTensor ShortTensor "
             "CharTensor ByteTensor HalfTensor BoolTensor BFloat16Tensor"},
    NameList{"torch.cuda",
             "DoubleStorage FloatStorage LongStorage IntStorage ShortStorage "
             "CharStorage ByteStorage HalfStorage BoolStorage BFloat16Storage "
             "ComplexFloatStorage ComplexDoubleStorage DoubleTensor "
             "FloatTensor LongTensor IntTensor ShortTensor CharTensor "
             "ByteTensor HalfTensor BoolTensor BFloat16Tensor"},
    NameList{"torch.storage", "TypedStorage UntypedStorage"},
    NameList{"torch._utils",
             "_rebuild_parameter _rebuild_parameter_with_state "
             "_rebuild_qtensor _rebuild_tensor _rebuild_tensor_v2 "
             "_rebuild_tensor_v3 _rebuild_sparse_tensor "
             "_rebuild_meta_tensor_no_storage _rebuild_wrapper_subclass "
             "_rebuild_device_tensor_from_numpy "
             "_rebuild_device_tensor_from_cpu_tensor"},
    NameList{"torch._tensor", "_rebuild_from_type_v2"},
};

constexpr std::array kAllowed{
    // Python
    NameList{"builtins",
             "frozenset list dict tuple int float bool str bytes slice range "
             "object Ellipsis NotImplemented enumerate zip reversed "
             "BaseException Exception ArithmeticError AssertionError "
             "AttributeError BlockingIOError BrokenPipeError BufferError "
             "BytesWarning ChildProcessError ConnectionAbortedError "
             "ConnectionError ConnectionRefusedError ConnectionResetError "
             "DeprecationWarning EOFError EncodingWarning EnvironmentError "
             "FileExistsError FileNotFoundError FloatingPointError "
             "FutureWarning GeneratorExit IOError ImportError ImportWarning "
             "IndentationError IndexError InterruptedError IsADirectoryError "
             "KeyError KeyboardInterrupt LookupError MemoryError "
             "ModuleNotFoundError NameError NotADirectoryError "
             "NotImplementedError OSError OverflowError "
             "PendingDeprecationWarning PermissionError ProcessLookupError "
             "RecursionError ReferenceError ResourceWarning RuntimeError "
             "RuntimeWarning StopAsyncIteration StopIteration SyntaxError "
             "SyntaxWarning SystemError SystemExit TabError TimeoutError "
             "TypeError UnboundLocalError UnicodeDecodeError "
             "UnicodeEncodeError UnicodeError UnicodeTranslateError "
             "UnicodeWarning UserWarning ValueError Warning "
             "ZeroDivisionError"},
    NameList{"collections",
             "defaultdict deque UserDict UserList UserString ChainMap"},
    NameList{"datetime", "datetime date time timedelta timezone"},
    NameList{"decimal",
             "Decimal Context DecimalException Clamped DivisionByZero "
             "FloatOperation Inexact InvalidOperation Overflow Rounded "
             "Subnormal Underflow"},
    NameList{"fractions", "Fraction"},
    NameList{"uuid", "UUID SafeUUID"},
    NameList{"pathlib",
             "Path PosixPath WindowsPath PurePath PurePosixPath "
             "PureWindowsPath"},
    NameList{"types",
             "SimpleNamespace GenericAlias UnionType NoneType EllipsisType "
             "NotImplementedType MappingProxyType"},
    NameList{"argparse", "Namespace"},
    NameList{"re", "_compile RegexFlag"},
    NameList{"_io", "BytesIO StringIO"},
    NameList{"io", "BytesIO StringIO"},
    NameList{"array", "array _array_reconstructor"},
    NameList{"zoneinfo", "ZoneInfo ZoneInfo._unpickle"},
    NameList{"random", "Random"},
    NameList{"_random", "Random"},
    NameList{"time", "struct_time"},
    NameList{"os", "stat_result statvfs_result terminal_size times_result"},
    NameList{"posix", "stat_result statvfs_result terminal_size times_result"},
    NameList{"platform", "uname_result"},
    NameList{"logging", "getLogger"},
    NameList{"statistics", "NormalDist"},
    NameList{"http", "HTTPStatus HTTPMethod"},
    NameList{"inspect", "_ParameterKind Parameter Signature"},
    // Asks the objects, which were judged where they were made.
    NameList{"operator", "or_"},
    NameList{"_operator", "or_"},
    NameList{"urllib.parse",
             "ParseResult SplitResult DefragResult ParseResultBytes "
             "SplitResultBytes DefragResultBytes"},
    NameList{"ipaddress",
             "IPv4Address IPv4Interface IPv4Network IPv6Address IPv6Interface "
             "IPv6Network"},
    // What they iterate over was judged where it was made.
    NameList{"itertools",
             "chain combinations combinations_with_replacement compress count "
             "cycle islice pairwise permutations product repeat zip_longest "
             "_tee _tee_dataobject"},
    NameList{"ctypes",
             "c_bool c_byte c_double c_float c_int c_int16 c_int32 c_int64 "
             "c_int8 c_long c_longdouble c_longlong c_short c_size_t c_ssize_t "
             "c_ubyte c_uint c_uint16 c_uint32 c_uint64 c_uint8 c_ulong "
             "c_ulonglong c_ushort"},
    // Time zones: looked up by name among the installed ones.
    NameList{"pytz", "_UTC _p UTC"},
    NameList{"pytz.tzfile", "DstTzInfo StaticTzInfo"},
    NameList{"dateutil.relativedelta", "relativedelta"},
    NameList{"dateutil.tz.tz", "tzutc tzlocal tzoffset"},
    NameList{"dateutil._common", "weekday"},
    // NumPy
    NameList{"numpy",
             "dtype ndarray matrix bool_ bool int8 int16 int32 int64 uint8 "
             "uint16 uint32 uint64 intc uintc intp uintp longlong ulonglong "
             "float16 float32 float64 longdouble complex64 complex128 "
             "clongdouble str_ bytes_ void object_ datetime64 timedelta64 "
             "record recarray generic"},
    NameList{"numpy.core.multiarray", "_reconstruct scalar"},
    NameList{"numpy._core.multiarray", "_reconstruct scalar"},
    NameList{"numpy.core.numeric", "_frombuffer"},
    NameList{"numpy._core.numeric", "_frombuffer"},
    NameList{"numpy.ma.core", "_mareconstruct MaskedArray MaskedConstant"},
    NameList{"numpy.dtypes.*",
             "Float16DType Float32DType Float64DType Int8DType Int16DType "
             "Int32DType Int64DType UInt8DType UInt16DType UInt32DType "
             "UInt64DType BoolDType Complex64DType Complex128DType "
             "ObjectDType StrDType BytesDType VoidDType"},
    NameList{"numpy.random.mtrand", "RandomState"},
    NameList{"numpy.random._generator", "Generator"},
    NameList{"numpy.random._mt19937", "MT19937"},
    NameList{"numpy.random._pcg64", "PCG64 PCG64DXSM"},
    NameList{"numpy.random._philox", "Philox"},
    NameList{"numpy.random._sfc64", "SFC64"},
    NameList{"numpy.random.bit_generator", "SeedSequence"},
    // joblib: the wrapper reads the array behind it in the same file.
    NameList{"joblib.numpy_pickle", "NumpyArrayWrapper"},
    // SciPy, pandas
    NameList{"scipy.sparse.*",
             "csr_matrix csc_matrix coo_matrix bsr_matrix dia_matrix "
             "dok_matrix lil_matrix csr_array csc_array coo_array bsr_array "
             "dia_array dok_array lil_array"},
    NameList{"scipy.interpolate.*", "interp1d PPoly BSpline"},
    NameList{"scipy.spatial.*", "cKDTree KDTree"},
    NameList{"pandas.core.frame", "DataFrame"},
    NameList{"pandas.core.series", "Series"},
    NameList{"pandas.core.internals.managers",
             "BlockManager SingleBlockManager"},
    NameList{"pandas.core.internals.blocks", "new_block"},
    NameList{"pandas._libs.internals", "_unpickle_block BlockPlacement"},
    NameList{"pandas.core.indexes.*",
             "_new_Index Index RangeIndex Int64Index UInt64Index Float64Index "
             "MultiIndex CategoricalIndex DatetimeIndex TimedeltaIndex "
             "PeriodIndex IntervalIndex _new_DatetimeIndex "
             "_new_IntervalIndex _new_PeriodIndex"},
    NameList{"pandas._libs.tslibs.timestamps", "_unpickle_timestamp Timestamp"},
    NameList{"pandas._libs.tslibs.timedeltas", "_timedelta_unpickle Timedelta"},
    NameList{"pandas._libs.tslibs.nattype",
             "__nat_unpickle _nat_unpickle NaTType"},
    NameList{"pandas._libs.tslibs.period", "Period"},
    NameList{"pandas._libs.tslibs.offsets",
             "BaseOffset DateOffset BusinessDay BDay BusinessHour "
             "BusinessMonthBegin BusinessMonthEnd CustomBusinessDay "
             "CustomBusinessHour CustomBusinessMonthBegin "
             "CustomBusinessMonthEnd Day Easter FY5253 FY5253Quarter Hour "
             "LastWeekOfMonth Micro Milli Minute MonthBegin MonthEnd Nano "
             "QuarterBegin QuarterEnd BQuarterBegin BQuarterEnd Second "
             "SemiMonthBegin SemiMonthEnd Week WeekOfMonth YearBegin YearEnd "
             "BYearBegin BYearEnd Tick"},
    NameList{"pandas._libs.interval", "Interval"},
    NameList{"pandas._libs.sparse", "IntIndex BlockIndex"},
    NameList{"pandas.core.dtypes.dtypes",
             "CategoricalDtype DatetimeTZDtype PeriodDtype IntervalDtype"},
    // torch
    NameList{"torch",
             "Generator strided sparse_coo sparse_csr preserve_format "
             "contiguous_format channels_last channels_last_3d"},
    NameList{"torch._utils",
             "_rebuild_xla_tensor _rebuild_mlc_tensor _rebuild_meta_tensor "
             "_rebuild_sparse_csr_tensor _rebuild_nested_tensor"},
    NameList{"torch.storage", "_TypedStorage _UntypedStorage"},
    NameList{"torch.nn.parameter",
             "Buffer UninitializedParameter UninitializedBuffer"},
    NameList{"torch.torch_version", "TorchVersion"},
    NameList{"torch.nn.functional",
             "relu relu6 gelu silu mish elu selu celu leaky_relu hardtanh "
             "hardswish hardsigmoid softplus softsign softmax log_softmax tanh "
             "sigmoid logsigmoid tanhshrink normalize"},
    NameList{"torch.jit._pickle",
             "build_intlist build_tensorlist build_doublelist build_boollist "
             "build_tensor_from_id restore_type_tag"},
    // TorchScript classes: names inside the archive, no Python module.
    NameList{"__torch__.*", "*"},
    // Transformers, accelerate, tokenizers: enumerations and plain values
    NameList{"tokenizers", "AddedToken"},
    NameList{"transformers.training_args", "OptimizerNames ParallelMode"},
    NameList{"transformers.trainer_utils",
             "IntervalStrategy SchedulerType HubStrategy EvaluationStrategy "
             "FSDPOption SaveStrategy ShardedDDPOption LoggingStrategy"},
    NameList{"accelerate.utils.dataclasses", "DistributedType"},
    NameList{"sentence_transformers.training_args",
             "BatchSamplers MultiDatasetBatchSamplers"},
    NameList{"trl.trainer.*", "FDivergenceType"},
    NameList{"peft.utils.peft_types", "PeftType TaskType"},
    // Ultralytics YOLO: layers; its models are guarded
    NameList{"ultralytics.nn.modules.*",
             "Conv Conv2 LightConv DWConv DWConvTranspose2d ConvTranspose "
             "Focus GhostConv ChannelAttention SpatialAttention CBAM Concat "
             "RepConv DFL Proto HGStem HGBlock SPP SPPF C1 C2 C3 C2f C3k C3k2 "
             "C2fAttn C2PSA PSA PSABlock C3x C3TR C3Ghost GhostBottleneck "
             "Bottleneck BottleneckCSP Detect Segment Pose Classify OBB "
             "RTDETRDecoder v10Detect Attention SCDown CIB C2fCIB AAttn A2C2f "
             "ABlock"},
    NameList{"ultralytics.utils", "IterableSimpleNamespace"},
    NameList{"ultralytics.utils.loss",
             "v8DetectionLoss v8SegmentationLoss v8PoseLoss BboxLoss"},
    NameList{"ultralytics.utils.tal", "TaskAlignedAssigner"},
};

constexpr std::array kClasses{
    NameList{"torch.nn.modules.*",
             "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d "
             "AdaptiveLogSoftmaxWithLoss AdaptiveMaxPool1d "
             "AdaptiveMaxPool2d AdaptiveMaxPool3d AlphaDropout AvgPool1d "
             "AvgPool2d AvgPool3d BCELoss BCEWithLogitsLoss BatchNorm1d "
             "BatchNorm2d BatchNorm3d Bilinear CELU CTCLoss ChannelShuffle "
             "CircularPad1d CircularPad2d CircularPad3d ConstantPad1d "
             "ConstantPad2d ConstantPad3d Container Conv1d Conv2d Conv3d "
             "ConvTranspose1d ConvTranspose2d ConvTranspose3d "
             "CosineEmbeddingLoss CosineSimilarity CrossEntropyLoss "
             "CrossMapLRN2d Dropout Dropout1d Dropout2d Dropout3d ELU "
             "Embedding EmbeddingBag FeatureAlphaDropout Flatten Fold "
             "FractionalMaxPool2d FractionalMaxPool3d GELU GLU GRU GRUCell "
             "GaussianNLLLoss GroupNorm Hardshrink Hardsigmoid Hardswish "
             "Hardtanh HingeEmbeddingLoss HuberLoss Identity "
             "InstanceNorm1d InstanceNorm2d InstanceNorm3d KLDivLoss "
             "L1Loss LPPool1d LPPool2d LSTM LSTMCell LayerNorm LeakyReLU "
             "Linear LocalResponseNorm LogSigmoid LogSoftmax MSELoss "
             "MarginRankingLoss MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d "
             "MaxUnpool2d MaxUnpool3d Mish Module ModuleDict ModuleList "
             "MultiLabelMarginLoss MultiLabelSoftMarginLoss "
             "MultiMarginLoss MultiheadAttention NLLLoss NLLLoss2d "
             "NonDynamicallyQuantizableLinear PReLU PairwiseDistance "
             "ParameterDict ParameterList PixelShuffle PixelUnshuffle "
             "PoissonNLLLoss RMSNorm RNN RNNBase RNNCell RNNCellBase RReLU "
             "ReLU ReLU6 ReflectionPad1d ReflectionPad2d ReflectionPad3d "
             "ReplicationPad1d ReplicationPad2d ReplicationPad3d SELU "
             "Sequential SiLU Sigmoid SmoothL1Loss SoftMarginLoss Softmax "
             "Softmax2d Softmin Softplus Softshrink Softsign SyncBatchNorm "
             "Tanh Tanhshrink Threshold Transformer TransformerDecoder "
             "TransformerDecoderLayer TransformerEncoder "
             "TransformerEncoderLayer TripletMarginLoss "
             "TripletMarginWithDistanceLoss Unflatten Unfold Upsample "
             "UpsamplingBilinear2d UpsamplingNearest2d ZeroPad1d ZeroPad2d "
             "ZeroPad3d "},
    NameList{"torch.optim.*",
             "SGD Adam AdamW Adamax Adadelta Adagrad NAdam RAdam RMSprop Rprop "
             "ASGD LBFGS SparseAdam StepLR MultiStepLR ConstantLR LinearLR "
             "ExponentialLR CosineAnnealingLR CosineAnnealingWarmRestarts "
             "ReduceLROnPlateau CyclicLR OneCycleLR PolynomialLR "
             "SequentialLR"},
    NameList{
        "sklearn.*",
        "ARDRegression AbsoluteError AdaBoostClassifier AdaBoostRegressor "
        "AdamOptimizer AdditiveChi2Sampler AffinityPropagation "
        "AgglomerationTransform AgglomerativeClustering ArgKmin "
        "BaggingClassifier BaggingRegressor BallTree BaseBagging "
        "BaseCrossValidator BaseDecisionTree BaseDenseSplitter "
        "BaseDistancesReductionDispatcher BaseEnsemble BaseEstimator "
        "BaseForest BaseGradientBoosting BaseGraphicalLasso "
        "BaseHistGradientBoosting BaseLabelPropagation BaseLibSVM BaseLink "
        "BaseLoss BaseMixture BaseMultilayerPerceptron BaseOptimizer "
        "BaseRandomProjection BaseSGD BaseSGDClassifier BaseSGDRegressor "
        "BaseSVC BaseSearchCV BaseShuffleSplit BaseSparseSplitter "
        "BaseSpectral BaseSuccessiveHalving BaseWeightBoosting "
        "BayesianGaussianMixture BayesianRidge BernoulliNB BernoulliRBM "
        "BestFirstTreeBuilder BestSparseSplitter BestSplitter Binarizer "
        "BinaryTree BinomialDeviance Birch BisectingKMeans BrayCurtisDistance "
        "Bunch CCA CalibratedClassifierCV CanberraDistance CategoricalNB "
        "ChebyshevDistance Classification ClassificationCriterion "
        "ClassificationLossFunction ClassifierChain ColumnTransformer "
        "ComplementNB CompoundKernel ConstantKernel CountVectorizer Criterion "
        "CyAbsoluteError CyHalfBinomialLoss CyHalfGammaLoss "
        "CyHalfMultinomialLoss CyHalfPoissonLoss CyHalfSquaredError "
        "CyHalfTweedieLoss CyHalfTweedieLossIdentity CyLossFunction "
        "CyPinballLoss DBSCAN DecisionTreeClassifier DecisionTreeRegressor "
        "DepthFirstTreeBuilder DiceDistance DictVectorizer DictionaryLearning "
        "DistanceMetric DistributionBoundary DotProduct DummyClassifier "
        "DummyRegressor ElasticNet ElasticNetCV EllipticEnvelope "
        "EmpiricalCovariance Entropy EpsilonInsensitive EuclideanDistance "
        "ExpSineSquared ExponentialDispersionModel ExponentialLoss "
        "Exponentiation ExtraTreeClassifier ExtraTreeRegressor "
        "ExtraTreesClassifier ExtraTreesRegressor FactorAnalysis FastICA "
        "FeatureAgglomeration FeatureHasher FeatureUnion ForestClassifier "
        "ForestRegressor FriedmanMSE FunctionTransformer GammaDistribution "
        "GammaRegressor GaussianMixture GaussianNB GaussianProcessClassifier "
        "GaussianProcessRegressor GaussianRandomProjection "
        "GenericUnivariateSelect Gini GradientBoostingClassifier "
        "GradientBoostingRegressor GraphicalLasso GraphicalLassoCV "
        "GridSearchCV GroupKFold GroupShuffleSplit HalfBinomialLoss "
        "HalfGammaLoss HalfMultinomialLoss HalfPoissonLoss HalfSquaredError "
        "HalfTweedieLoss HalfTweedieLossIdentity HalvingGridSearchCV "
        "HalvingRandomSearchCV HammingDistance HashingVectorizer "
        "HaversineDistance Hinge HistGradientBoostingClassifier "
        "HistGradientBoostingRegressor HistogramBuilder Huber "
        "HuberLossFunction HuberRegressor Hyperparameter IdentityLink "
        "IncrementalPCA IntFloatDict InverseGaussianDistribution "
        "IsolationForest Isomap IsotonicRegression IterativeImputer "
        "JaccardDistance KBinsDiscretizer KDTree KFold KMeans KNNImputer "
        "KNeighborsClassifier KNeighborsRegressor KNeighborsTransformer "
        "Kernel KernelCenterer KernelDensity KernelOperator KernelPCA "
        "KernelRidge KeyValTuple KeyValTupleParam KulsinskiDistance "
        "LabelBinarizer LabelEncoder LabelPropagation LabelSpreading Lars "
        "LarsCV Lasso LassoCV LassoLars LassoLarsCV LassoLarsIC "
        "LatentDirichletAllocation LeastAbsoluteError LeastSquaresError "
        "LeaveOneGroupOut LeaveOneOut LeavePGroupsOut LeavePOut LedoitWolf "
        "LinearDiscriminantAnalysis LinearModel LinearModelCV LinearModelLoss "
        "LinearRegression LinearSVC LinearSVR LocalOutlierFactor "
        "LocallyLinearEmbedding Log LogLink LogisticRegression "
        "LogisticRegressionCV LogitLink LossFunction MAE MDS MLPClassifier "
        "MLPRegressor MSE MahalanobisDistance ManhattanDistance "
        "MatchingDistance Matern MaxAbsScaler MeanShift MinCovDet "
        "MinMaxScaler MiniBatchDictionaryLearning MiniBatchKMeans "
        "MiniBatchNMF MiniBatchSparsePCA MinkowskiDistance MissingIndicator "
        "ModifiedHuber MultiLabelBinarizer MultiOutputClassifier "
        "MultiOutputRegressor MultiTaskElasticNet MultiTaskElasticNetCV "
        "MultiTaskLasso MultiTaskLassoCV MultinomialDeviance MultinomialLogit "
        "MultinomialNB NMF NearestCentroid NearestNeighbors "
        "NeighborhoodComponentsAnalysis NeighborsBase NeighborsHeap "
        "NewtonCholeskySolver NewtonSolver NodeHeap NormalDistribution "
        "Normalizer NuSVC NuSVR Nystroem OAS OPTICS OneClassSVM OneHotEncoder "
        "OneVsOneClassifier OneVsRestClassifier OrdinalEncoder "
        "OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV "
        "OutputCodeClassifier PCA PLSCanonical PLSRegression PLSSVD "
        "PairwiseKernel ParameterGrid ParameterSampler "
        "PassiveAggressiveClassifier PassiveAggressiveRegressor "
        "PatchExtractor Perceptron PinballLoss Pipeline Poisson "
        "PoissonDistribution PoissonRegressor PolynomialCountSketch "
        "PolynomialFeatures PowerTransformer PredefinedSplit Product "
        "PyFuncDistance QuadraticDiscriminantAnalysis QuantileLossFunction "
        "QuantileRegressor QuantileTransformer RANSACRegressor RBF RBFSampler "
        "RFE RFECV RadiusNeighbors RadiusNeighborsClassifier "
        "RadiusNeighborsRegressor RadiusNeighborsTransformer "
        "RandomForestClassifier RandomForestRegressor RandomSparseSplitter "
        "RandomSplitter RandomTreesEmbedding RandomizedSearchCV "
        "RationalQuadratic ReadonlyArrayWrapper Regression "
        "RegressionCriterion RegressionLossFunction RegressorChain "
        "RepeatedKFold RepeatedStratifiedKFold Ridge RidgeCV RidgeClassifier "
        "RidgeClassifierCV RobustScaler RogersTanimotoDistance "
        "RussellRaoDistance SEuclideanDistance SGDClassifier SGDOneClassSVM "
        "SGDOptimizer SGDRegressor SVC SVR SelectFdr SelectFpr "
        "SelectFromModel SelectFwe SelectKBest SelectPercentile "
        "SelfTrainingClassifier Sentinel SequentialFeatureSelector "
        "ShrunkCovariance ShuffleSplit SimpleImputer SkewedChi2Sampler "
        "SokalMichenerDistance SokalSneathDistance SparseCoder SparsePCA "
        "SparseRandomProjection SpectralBiclustering SpectralClustering "
        "SpectralCoclustering SpectralEmbedding SplineTransformer SplitInfo "
        "Splitter SquaredEpsilonInsensitive SquaredHinge SquaredLoss "
        "StackingClassifier StackingRegressor StandardScaler "
        "StratifiedGroupKFold StratifiedKFold StratifiedShuffleSplit Sum TSNE "
        "TfidfTransformer TfidfVectorizer TheilSenRegressor TimeSeriesSplit "
        "TransformedTargetRegressor Tree TreeBuilder TreeGrower TreeNode "
        "TreePredictor TruncatedSVD TweedieDistribution TweedieRegressor "
        "UnionFind VarianceThreshold VerboseReporter VotingClassifier "
        "VotingRegressor WMinkowskiDistance WeightedEdge "
        "WeightedMedianCalculator WeightedPQueue WhiteKernel _BaseScorer "
        "_BinMapper _BinaryGaussianProcessClassifierLaplace _BisectingTree "
        "_CFNode _CFSubcluster _CalibratedClassifier _ConstantPredictor "
        "_Constraint _FuncWrapper _IdentityClassifier _IdentityRegressor "
        "_MultiOutputEstimator _MultimetricScorer _PredictScorer _ProbaScorer "
        "_QuadTree _RandomStates _RidgeGCV _SigmoidCalibration "
        "_ThresholdScorer _nandict make_column_selector newObj Interval "
        "f_classif "
        "f_regression chi2 mutual_info_classif mutual_info_regression "
        "r_regression _passthrough_scorer Imputer DeprecationDict "
        "_gen_even_slices "},
};

}  // namespace

std::span<const NameList> weights_only_names() { return kWeightsOnly; }
std::span<const NameList> allowed_names() { return kAllowed; }
std::span<const NameList> library_classes() { return kClasses; }

}  // namespace impound
