// SPDX-License-Identifier: Apache-2.0
/// Names that are harmless in some ways only. "Read" means that the source of
/// the callable was read: CPython 3.11, NumPy 1.24, pandas 1.5, SciPy 1.10,
/// scikit-learn 1.2, joblib 1.2 and torch 1.13 as Debian 12 ships them;
/// "documented" means that only the library's documentation was.

#include <array>

#include "core/scan/pickle_lists.hpp"

namespace impound {
namespace {

constexpr std::array kGuarded{
    // Python, read
    GuardedNames{"copyreg", "_reconstructor", Guard::base,
                 "runs the constructor of its base class on the state"},
    GuardedNames{"copyreg", "__newobj__ __newobj_ex__", Guard::new_object,
                 "runs __new__ of whatever class it is given"},
    GuardedNames{"builtins", "type", Guard::singleton,
                 "tells the class of any object, or makes a new class"},
    GuardedNames{"builtins", "iter", Guard::iterable,
                 "with two arguments it calls the first one, again and again"},
    GuardedNames{
        "builtins",
        "abs all any ascii bin callable chr divmod format hash hex id "
        "isinstance issubclass len max min next oct ord pow print repr round "
        "sorted sum",
        Guard::object, "functions kept by name; they were not read"},
    GuardedNames{"functools", "partial", Guard::binds,
                 "binds a function, which whoever calls the object runs"},
    GuardedNames{"_operator", "getitem", Guard::annotation,
                 "asks any object for an item"},
    GuardedNames{"operator", "getitem", Guard::annotation,
                 "asks any object for an item"},
    GuardedNames{"operator", "itemgetter", Guard::attribute,
                 "asks for items, once it is called"},
    GuardedNames{"_operator", "itemgetter", Guard::attribute,
                 "asks for items, once it is called"},
    GuardedNames{
        "_operator",
        "abs add and_ concat contains countOf eq floordiv ge gt index indexOf "
        "inv invert is_ is_not le lshift lt matmul mod mul ne neg not_ pos "
        "pow rshift sub truediv truth xor",
        Guard::object, "arithmetic kept by name"},
    GuardedNames{
        "posixpath",
        "join basename dirname split splitext normpath isabs commonpath "
        "commonprefix",
        Guard::object, "functions on texts, kept by name"},
    GuardedNames{
        "ntpath",
        "join basename dirname split splitext normpath isabs commonpath "
        "commonprefix",
        Guard::object, "functions on texts, kept by name"},
    GuardedNames{"genericpath", "exists isfile isdir getsize getmtime",
                 Guard::object, "looks at a file, once it is called"},
    GuardedNames{"_ctypes", "_unpickle", Guard::ctypes_number,
                 "writes bytes into an object of the class it is given"},
    GuardedNames{"logging",
                 "Logger RootLogger LogRecord Formatter PercentStyle "
                 "StrFormatStyle StringTemplateStyle BufferingFormatter Filter",
                 Guard::object, "objects without a handler open no file"},
    GuardedNames{"traceback", "FrameSummary StackSummary TracebackException",
                 Guard::object, "made from its state it holds texts"},
    GuardedNames{"contextlib", "nullcontext suppress closing", Guard::object,
                 "keeps what it is given"},
    GuardedNames{"csv", "Dialect excel excel_tab unix_dialect", Guard::object,
                 "settings"},
    GuardedNames{"difflib", "SequenceMatcher Differ Match", Guard::object,
                 "made from its state it compares nothing"},
    GuardedNames{"inspect",
                 "BoundArguments _empty _void Attribute "
                 "ArgSpec FullArgSpec",
                 Guard::object, "describes a function"},
    GuardedNames{"string", "Template", Guard::object, "keeps a text"},
    GuardedNames{"http.cookies", "SimpleCookie BaseCookie Morsel",
                 Guard::object, "dictionaries of texts"},
    GuardedNames{"http.cookiejar", "CookieJar Cookie DefaultCookiePolicy",
                 Guard::object, "keeps cookies in memory"},
    GuardedNames{"urllib.parse",
                 "quote quote_plus unquote unquote_plus urlencode urlparse "
                 "urlsplit urljoin parse_qs parse_qsl",
                 Guard::object, "functions on texts, kept by name"},
    GuardedNames{"requests.structures", "CaseInsensitiveDict LookupDict",
                 Guard::object, "dictionaries of texts (documented)"},
    GuardedNames{"requests.models", "Response Request PreparedRequest",
                 Guard::object,
                 "made from its state it asks for nothing "
                 "(documented)"},
    GuardedNames{"requests.cookies", "RequestsCookieJar", Guard::object,
                 "keeps cookies in memory (documented)"},
    GuardedNames{"requests.sessions", "Session", Guard::object,
                 "made from its state it opens no connection (documented)"},
    GuardedNames{"requests.adapters", "HTTPAdapter", Guard::object,
                 "__setstate__ makes an empty pool (documented)"},
    GuardedNames{"subprocess", "CompletedProcess CalledProcessError",
                 Guard::object, "tells how a program ended"},
    GuardedNames{"zipfile", "ZipInfo", Guard::object, "describes a member"},
    GuardedNames{"tarfile", "TarInfo", Guard::object, "describes a member"},
    GuardedNames{"signal",
                 "SIGABRT SIGALRM SIGHUP SIGINT SIGKILL SIGTERM SIGUSR1 "
                 "SIGUSR2 Signals Handlers Sigmasks",
                 Guard::object, "numbers with names"},
    GuardedNames{"socket",
                 "AF_INET AF_INET6 AF_UNIX SOCK_STREAM SOCK_DGRAM SOCK_RAW "
                 "AddressFamily SocketKind MsgFlag AddressInfo",
                 Guard::object, "numbers with names"},
    // Deep learning
    GuardedNames{"torch.storage", "_load_from_bytes", Guard::torch_bytes,
                 "torch.load of its argument, with weights_only=False"},
    GuardedNames{"torch._C", "_VariableFunctionsClass _TensorBase",
                 Guard::object, "holds the functions of torch (documented)"},
    GuardedNames{
        "ultralytics.nn.tasks",
        "DetectionModel SegmentationModel ClassificationModel PoseModel "
        "OBBModel BaseModel RTDETRDetectionModel WorldModel YOLOEModel",
        Guard::settings,
        "the constructor passes 'activation' and the arguments of layers to "
        "eval() (documented)"},
    GuardedNames{"transformers.training_args", "TrainingArguments",
                 Guard::object,
                 "the constructor sets up devices and reads the files that "
                 "its settings name (documented)"},
    GuardedNames{"transformers.training_args_seq2seq",
                 "Seq2SeqTrainingArguments", Guard::object,
                 "as TrainingArguments (documented)"},
    GuardedNames{"transformers.trainer_pt_utils", "AcceleratorConfig",
                 Guard::object, "settings (documented)"},
    GuardedNames{"transformers.deepspeed",
                 "HfTrainerDeepSpeedConfig HfDeepSpeedConfig", Guard::object,
                 "the constructor opens the file it is given (documented)"},
    GuardedNames{"transformers.integrations.deepspeed",
                 "HfTrainerDeepSpeedConfig HfDeepSpeedConfig", Guard::object,
                 "the constructor opens the file it is given (documented)"},
    GuardedNames{"transformers.generation.configuration_utils",
                 "GenerationConfig", Guard::object, "settings (documented)"},
    GuardedNames{"accelerate.state", "PartialState", Guard::object,
                 "the constructor joins a group of processes (documented)"},
    GuardedNames{"accelerate.utils.dataclasses", "DeepSpeedPlugin",
                 Guard::object,
                 "the constructor opens the file it is given (documented)"},
    GuardedNames{"accelerate.utils.deepspeed", "HfDeepSpeedConfig",
                 Guard::object,
                 "the constructor opens the file it is given (documented)"},
    GuardedNames{"sentence_transformers.training_args",
                 "SentenceTransformerTrainingArguments", Guard::object,
                 "as TrainingArguments (documented)"},
    GuardedNames{"trl.trainer.*",
                 "SFTConfig DPOConfig PPOConfig ORPOConfig KTOConfig CPOConfig "
                 "GRPOConfig RewardConfig",
                 Guard::object, "as TrainingArguments (documented)"},
    GuardedNames{"xgboost.core", "Booster DMatrix", Guard::no_text,
                 "a text among the arguments is the path or address of a "
                 "model (documented)"},
    GuardedNames{"lightgbm.basic", "Booster Dataset", Guard::no_text,
                 "a text among the arguments is the path of a model "
                 "(documented)"},
    GuardedNames{"xgboost.sklearn",
                 "XGBClassifier XGBRegressor XGBRanker XGBRFClassifier "
                 "XGBRFRegressor XGBModel",
                 Guard::object, "settings (documented)"},
    GuardedNames{"lightgbm.sklearn",
                 "LGBMClassifier LGBMRegressor LGBMRanker LGBMModel",
                 Guard::object, "settings (documented)"},
    GuardedNames{"catboost.core",
                 "CatBoost CatBoostClassifier CatBoostRegressor CatBoostRanker "
                 "Pool",
                 Guard::no_text,
                 "a text among the arguments is the path of a file "
                 "(documented)"},
    GuardedNames{"_catboost", "_CatBoost", Guard::no_text,
                 "its state is a byte string for a C++ parser (documented)"},
    // NumPy and SciPy, read
    GuardedNames{"numpy.random._pickle",
                 "__randomstate_ctor __generator_ctor __bit_generator_ctor",
                 Guard::bit_generator,
                 "calls its second argument with the first"},
    GuardedNames{"numpy.core", "_ufunc_reconstruct", Guard::own_module,
                 "imports the module that its first argument names"},
    GuardedNames{"joblib.numpy_pickle_compat", "NDArrayWrapper ZNDArrayWrapper",
                 Guard::object,
                 "joblib reads the file beside it that the state names"},
    GuardedNames{"scipy.stats._continuous_distns", "*", Guard::shapes,
                 "__setstate__ of a distribution executes a text of its state"},
    GuardedNames{"scipy.stats._discrete_distns", "*", Guard::shapes,
                 "__setstate__ of a distribution executes a text of its state"},
    GuardedNames{"scipy.stats._levy_stable.*", "*", Guard::shapes,
                 "__setstate__ of a distribution executes a text of its state"},
    GuardedNames{"scipy.stats._distn_infrastructure",
                 "rv_generic rv_continuous rv_discrete rv_sample rv_histogram",
                 Guard::shapes,
                 "__setstate__ of a distribution executes a text of its state"},
    // Packages whose objects do nothing when they are made without their
    // constructor and given a state: every __new__ and __setstate__ was read,
    // and what did more stands above or is dangerous.
    GuardedNames{"numpy.*", "*", Guard::object, "read"},
    GuardedNames{"scipy.*", "*", Guard::object, "read"},
    GuardedNames{"pandas.*", "*", Guard::object, "read"},
    GuardedNames{"sklearn.*", "*", Guard::object, "read"},
    GuardedNames{"PIL.*", "*", Guard::object, "read"},
    GuardedNames{"torch.nn.*", "*", Guard::object, "read"},
    GuardedNames{"torch.optim.*", "*", Guard::object, "read"},
    GuardedNames{"torch._C._nn", "*", Guard::object, "functions kept by name"},
    GuardedNames{"torch.ao.nn.*", "*", Guard::object, "read"},
    GuardedNames{"torch.ao.quantization.*", "*", Guard::object, "read"},
    GuardedNames{"torch.distributions.*", "*", Guard::object, "read"},
    GuardedNames{"torch.utils.data.dataset", "*", Guard::object, "read"},
    GuardedNames{"torch.utils.data.sampler", "*", Guard::object, "read"},
    GuardedNames{"torch.utils.data.dataloader", "*", Guard::object, "read"},
    GuardedNames{"torch.cuda.amp.grad_scaler", "*", Guard::object, "read"},
    GuardedNames{"torchvision.models.*", "*", Guard::object, "documented"},
    GuardedNames{"torchvision.ops.*", "*", Guard::object, "documented"},
    GuardedNames{"torchvision.transforms.*", "*", Guard::object, "documented"},
    GuardedNames{"timm.models.*", "*", Guard::object, "documented"},
    GuardedNames{"timm.layers.*", "*", Guard::object, "documented"},
    GuardedNames{"tokenizers.*", "*", Guard::no_text,
                 "a text among the arguments is the path of a vocabulary "
                 "(documented)"},
    GuardedNames{"nltk.tokenize.*", "*", Guard::object, "documented"},
    GuardedNames{"nltk.classify.*", "*", Guard::object, "documented"},
    GuardedNames{"nltk.tag.*", "*", Guard::object, "documented"},
    GuardedNames{"nltk.stem.*", "*", Guard::object, "documented"},
    GuardedNames{"nltk.probability", "*", Guard::object, "documented"},
    GuardedNames{"ast.*", "*", Guard::object, "parts of a syntax tree"},
    GuardedNames{"typing.*", "*", Guard::object, "names of types"},
    GuardedNames{"math.*", "*", Guard::object, "functions of numbers"},
    GuardedNames{"cmath.*", "*", Guard::object, "functions of numbers"},
    GuardedNames{"statistics.*", "*", Guard::object, "functions of numbers"},
    GuardedNames{"numbers.*", "*", Guard::object, "names of types"},
    GuardedNames{"textwrap.*", "*", Guard::object, "functions on texts"},
    GuardedNames{"html.*", "*", Guard::object, "functions on texts"},
    GuardedNames{"heapq.*", "*", Guard::object, "functions on lists"},
    GuardedNames{"_heapq.*", "*", Guard::object, "functions on lists"},
    GuardedNames{"bisect.*", "*", Guard::object, "functions on lists"},
    GuardedNames{"_bisect.*", "*", Guard::object, "functions on lists"},
    GuardedNames{"struct.*", "*", Guard::object, "functions on bytes"},
    GuardedNames{"_struct.*", "*", Guard::object, "functions on bytes"},
    GuardedNames{"hashlib.*", "*", Guard::object, "functions on bytes"},
    GuardedNames{"_hashlib.*", "*", Guard::object, "functions on bytes"},
    GuardedNames{"_sha256", "*", Guard::object, "functions on bytes"},
    GuardedNames{"_md5", "*", Guard::object, "functions on bytes"},
    GuardedNames{"json.*", "*", Guard::object, "functions on texts"},
    GuardedNames{"email.*", "*", Guard::object, "parts of a message"},
    GuardedNames{"configparser.*", "*", Guard::object, "settings as texts"},
    GuardedNames{"enum.*", "*", Guard::object, "kinds of enumerations"},
    GuardedNames{"abc.*", "*", Guard::object, "kinds of classes"},
    GuardedNames{"collections.abc", "*", Guard::object, "names of types"},
};

}  // namespace

std::span<const GuardedNames> guarded_names() { return kGuarded; }

}  // namespace impound
