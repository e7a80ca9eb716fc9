// SPDX-License-Identifier: Apache-2.0
// rooms: base
/// Writes seeds for the fuzz target "rows": small shards of every format.

#include <filesystem>
#include <fstream>
#include <string>

using namespace std::string_literals;

void write_rows_seeds(const std::filesystem::path& folder) {
  const auto put = [&folder](const char* name, char choice,
                             const std::string& content) {
    std::ofstream(folder / name, std::ios::binary) << choice << content;
  };
  const std::string jsonl =
      "{\"id\":1,\"text\":\"a \\\"b\\\" "
      "\\u00e9\\ud83d\\ude00\\ud83d\",\"label\":"
      "\"x\"}\r\n\n{\"a\":{\"b\":[1,2.5e3,-0,true,null,NaN]},\"a\":[]}\nbroken "
      "{\n";
  put("jsonl", 0, jsonl);
  put("jsonl_given", 1, jsonl);
  put("list", 2, "[\n {\"text\": \"],\\\"\"}, [1], \"s\",\n 3 ]  \n");
  put("list_found", 8, "[{\"a\":1},{\"a\":2} {\"a\":3}\n{\"a\":4}");
  put("csv", 3,
      "text,label\r\n\"a \"\"q\"\", b\nc\",x\r\n\r\nplain,y,z\n\"odd\"d,e\n");
  put("csv_open", 19, "text,label\n\"open,x\nrow,y\nrow,z\n");
  put("csv_semicolon", 4, "1;good film\n0;bad film\n");
  put("csv_found", 16, "id\ttext\n1\tone\n2\ttwo\n");
  put("text", 5, "\xef\xbb\xbf__label__a __label__b words here\n\nplain\r\n");
  put("text_odd", 13, "caf\xe9 a\0b\n\r\r\n"s);
  put("deep", 1,
      std::string(70, '[') + std::string(70, ']') + "\n" +
          std::string(60, '[') + std::string(60, ']'));
}
