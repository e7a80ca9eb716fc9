// SPDX-License-Identifier: Apache-2.0
/// The names that Python 3 looks up for names written by Python 2, as its
/// unpickler does with fix_imports (CPython, module _compat_pickle).

#include <algorithm>
#include <array>

#include "core/formats/pickle/pickle_heap.hpp"

namespace impound {
namespace {

struct ModuleMapping {
  std::string_view old_module;
  std::string_view module;
};

struct NameMapping {
  std::string_view old_module;
  std::string_view old_name;
  std::string_view module;
  std::string_view name;
};

constexpr std::array kModules{
    ModuleMapping{"BaseHTTPServer", "http.server"},
    ModuleMapping{"CGIHTTPServer", "http.server"},
    ModuleMapping{"ConfigParser", "configparser"},
    ModuleMapping{"Cookie", "http.cookies"},
    ModuleMapping{"Dialog", "tkinter.dialog"},
    ModuleMapping{"DocXMLRPCServer", "xmlrpc.server"},
    ModuleMapping{"FileDialog", "tkinter.filedialog"},
    ModuleMapping{"HTMLParser", "html.parser"},
    ModuleMapping{"Queue", "queue"},
    ModuleMapping{"ScrolledText", "tkinter.scrolledtext"},
    ModuleMapping{"SimpleDialog", "tkinter.simpledialog"},
    ModuleMapping{"SimpleHTTPServer", "http.server"},
    ModuleMapping{"SimpleXMLRPCServer", "xmlrpc.server"},
    ModuleMapping{"SocketServer", "socketserver"},
    ModuleMapping{"StringIO", "io"},
    ModuleMapping{"Tix", "tkinter.tix"},
    ModuleMapping{"Tkconstants", "tkinter.constants"},
    ModuleMapping{"Tkdnd", "tkinter.dnd"},
    ModuleMapping{"Tkinter", "tkinter"},
    ModuleMapping{"UserDict", "collections"},
    ModuleMapping{"UserList", "collections"},
    ModuleMapping{"UserString", "collections"},
    ModuleMapping{"__builtin__", "builtins"},
    ModuleMapping{"_abcoll", "collections.abc"},
    ModuleMapping{"_elementtree", "xml.etree.ElementTree"},
    ModuleMapping{"_winreg", "winreg"},
    ModuleMapping{"anydbm", "dbm"},
    ModuleMapping{"cPickle", "pickle"},
    ModuleMapping{"cStringIO", "io"},
    ModuleMapping{"commands", "subprocess"},
    ModuleMapping{"cookielib", "http.cookiejar"},
    ModuleMapping{"copy_reg", "copyreg"},
    ModuleMapping{"dbhash", "dbm.bsd"},
    ModuleMapping{"dbm", "dbm.ndbm"},
    ModuleMapping{"dumbdbm", "dbm.dumb"},
    ModuleMapping{"dummy_thread", "_dummy_thread"},
    ModuleMapping{"gdbm", "dbm.gnu"},
    ModuleMapping{"htmlentitydefs", "html.entities"},
    ModuleMapping{"httplib", "http.client"},
    ModuleMapping{"markupbase", "_markupbase"},
    ModuleMapping{"repr", "reprlib"},
    ModuleMapping{"robotparser", "urllib.robotparser"},
    ModuleMapping{"test.test_support", "test.support"},
    ModuleMapping{"thread", "_thread"},
    ModuleMapping{"tkColorChooser", "tkinter.colorchooser"},
    ModuleMapping{"tkCommonDialog", "tkinter.commondialog"},
    ModuleMapping{"tkFileDialog", "tkinter.filedialog"},
    ModuleMapping{"tkFont", "tkinter.font"},
    ModuleMapping{"tkMessageBox", "tkinter.messagebox"},
    ModuleMapping{"tkSimpleDialog", "tkinter.simpledialog"},
    ModuleMapping{"ttk", "tkinter.ttk"},
    ModuleMapping{"urllib2", "urllib.request"},
    ModuleMapping{"urlparse", "urllib.parse"},
    ModuleMapping{"whichdb", "dbm"},
    ModuleMapping{"xmlrpclib", "xmlrpc.client"},
};

constexpr std::array kNames{
    NameMapping{"UserDict", "IterableUserDict", "collections", "UserDict"},
    NameMapping{"UserDict", "UserDict", "collections", "UserDict"},
    NameMapping{"UserList", "UserList", "collections", "UserList"},
    NameMapping{"UserString", "UserString", "collections", "UserString"},
    NameMapping{"__builtin__", "basestring", "builtins", "str"},
    NameMapping{"__builtin__", "intern", "sys", "intern"},
    NameMapping{"__builtin__", "long", "builtins", "int"},
    NameMapping{"__builtin__", "reduce", "functools", "reduce"},
    NameMapping{"__builtin__", "unichr", "builtins", "chr"},
    NameMapping{"__builtin__", "unicode", "builtins", "str"},
    NameMapping{"__builtin__", "xrange", "builtins", "range"},
    NameMapping{"_multiprocessing", "Connection", "multiprocessing.connection",
                "Connection"},
    NameMapping{"_socket", "fromfd", "socket", "fromfd"},
    NameMapping{"exceptions", "StandardError", "builtins", "Exception"},
    NameMapping{"itertools", "ifilter", "builtins", "filter"},
    NameMapping{"itertools", "ifilterfalse", "itertools", "filterfalse"},
    NameMapping{"itertools", "imap", "builtins", "map"},
    NameMapping{"itertools", "izip", "builtins", "zip"},
    NameMapping{"itertools", "izip_longest", "itertools", "zip_longest"},
    NameMapping{"multiprocessing", "AuthenticationError",
                "multiprocessing.context", "AuthenticationError"},
    NameMapping{"multiprocessing", "BufferTooShort", "multiprocessing.context",
                "BufferTooShort"},
    NameMapping{"multiprocessing", "ProcessError", "multiprocessing.context",
                "ProcessError"},
    NameMapping{"multiprocessing", "TimeoutError", "multiprocessing.context",
                "TimeoutError"},
    NameMapping{"multiprocessing.forking", "Popen",
                "multiprocessing.popen_fork", "Popen"},
    NameMapping{"multiprocessing.process", "Process", "multiprocessing.context",
                "Process"},
    NameMapping{"socket", "_socketobject", "socket", "SocketType"},
    NameMapping{"urllib", "ContentTooShortError", "urllib.error",
                "ContentTooShortError"},
    NameMapping{"urllib", "getproxies", "urllib.request", "getproxies"},
    NameMapping{"urllib", "pathname2url", "urllib.request", "pathname2url"},
    NameMapping{"urllib", "quote", "urllib.parse", "quote"},
    NameMapping{"urllib", "quote_plus", "urllib.parse", "quote_plus"},
    NameMapping{"urllib", "unquote", "urllib.parse", "unquote"},
    NameMapping{"urllib", "unquote_plus", "urllib.parse", "unquote_plus"},
    NameMapping{"urllib", "url2pathname", "urllib.request", "url2pathname"},
    NameMapping{"urllib", "urlcleanup", "urllib.request", "urlcleanup"},
    NameMapping{"urllib", "urlencode", "urllib.parse", "urlencode"},
    NameMapping{"urllib", "urlopen", "urllib.request", "urlopen"},
    NameMapping{"urllib", "urlretrieve", "urllib.request", "urlretrieve"},
    NameMapping{"urllib2", "HTTPError", "urllib.error", "HTTPError"},
    NameMapping{"urllib2", "URLError", "urllib.error", "URLError"},
    NameMapping{"whichdb", "whichdb", "dbm", "whichdb"},
};

}  // namespace

PythonName map_python2_name(std::string_view module, std::string_view name) {
  const auto* const exact =
      std::find_if(kNames.begin(), kNames.end(), [&](const NameMapping& row) {
        return row.old_module == module && row.old_name == name;
      });
  if (exact != kNames.end()) {
    return {std::string(exact->module), std::string(exact->name)};
  }
  if (module == "exceptions") return {"builtins", std::string(name)};
  const auto* const moved = std::find_if(
      kModules.begin(), kModules.end(),
      [&](const ModuleMapping& row) { return row.old_module == module; });
  if (moved != kModules.end()) {
    return {std::string(moved->module), std::string(name)};
  }
  return {std::string(module), std::string(name)};
}

}  // namespace impound
