// Unicode normalisation (UAX #15), lower case and a few properties, as the Hugging Face library `tokenizers`
// has them: its crates bring older tables of their own, which scripts/make_normalizer_tables.py measures.
#pragma once
#include <cstdint>
#include <string>

#include "tokenizer/aligned_text.h"

namespace cutaway {

enum class Form { nfc, nfd, nfkc, nfkd };

// as_library: characters newer than the library's table are left alone; false: Unicode 16.
void normalize(AlignedText& text, Form form, bool as_library = true);

// What a character is in lower case; U+0130 alone becomes two characters.
void append_lower(std::string& out, char32_t cp);

bool is_mark(char32_t cp);         // StripAccents: \p{M}
bool is_nonspacing(char32_t cp);   // BertNormalizer: \p{Mn}
bool is_control(char32_t cp);      // BertNormalizer: \p{C} but for what is white space, U+0000 and U+FFFD
bool is_punctuation(char32_t cp);  // Punctuation, BertPreTokenizer: \p{P} and the symbols of ASCII
bool is_numeric(char32_t cp);      // Digits: \p{N}
bool is_word(char32_t cp);         // \w of Rust's regular expressions (UTS #18): Unicode 16
uint32_t script_number(
    char32_t cp);  // UnicodeScripts: equal for what it takes for one script; 0 goes with any

}  // namespace cutaway
