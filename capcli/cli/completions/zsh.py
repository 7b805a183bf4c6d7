"""The completion script for zsh, as an autoloaded `_capcli` or sourced: every word with what it does."""

from collections.abc import Sequence

from capcli.cli.completions.bash import pattern
from capcli.cli.completions.plan import Level, Word, arguments, filled, valued

_SCRIPT = r"""#compdef capcli
# Completion of capcli for zsh. Generated from the command tree: capcli help completions

__capcli_command() {
    case "$1|$2" in
<COMMANDS>
    (*) return 1 ;;
    esac
}

__capcli_valued() {
    case "$1|$2" in
<VALUED>
    (*) return 1 ;;
    esac
}

__capcli_argument() {
    case "$1|$2" in
<ARGUMENTS>
    (*) origin= ;;
    esac
}

__capcli_commands() {
    case "$1" in
<WORDS>
    esac
}

__capcli_options() {
    case "$1" in
<OPTIONS>
    esac
    offered+=(
<GLOBALS>
    )
}

__capcli_ask() {
    local line
    local -a found
    for line in ${(f)"$(${~words[1]} __complete $1 $where 2>/dev/null)"}; do
        found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    _describe -V -t values "$1 seen here" found
}

__capcli_fill() {
    local -a found
    case "$1" in
    (@*) __capcli_ask "${1#@}" ;;
    (files) _files ;;
    (*) found=(${=1}); compadd -a found ;;
    esac
}

# The environment and the profile of this line decide which values were seen.
__capcli_place() {
    local index
    for ((index = 2; index <= $#words; index++)); do
        case "$words[index]" in
        (--env=*|--profile=*|--account=*) where+=("${words[index]%%=*}" "${words[index]#*=}") ;;
        (--env|--profile|--account) ((index < $#words)) && where+=("$words[index]" "$words[index+1]") ;;
        esac
    done
}

_capcli() {
    local route="" key="" ended="" word origin="" index
    local -i count=0
    local -a where offered
    for ((index = 2; index < CURRENT; index++)); do
        word=$words[index]
        if [[ -n $key ]]; then
            key=""
        elif [[ -z $ended && $word == "--" ]]; then
            ended=1
        elif [[ -z $ended && $word == -* ]]; then
            __capcli_valued "$route" "$word" && key=$word
        elif [[ -z $ended && $count == 0 ]] && __capcli_command "$route" "$word"; then
            route=${route:+$route }$word
        else
            count+=1
        fi
    done
    __capcli_place
    if [[ -z $key && -z $ended && $words[CURRENT] == --*=* ]]; then
        key=${words[CURRENT]%%=*}
        compset -P '*='
    fi
    if [[ -n $key ]]; then
        __capcli_valued "$route" "$key" && __capcli_fill "$origin"
        return
    fi
    if [[ -z $ended && $words[CURRENT] == -* ]]; then
        __capcli_options "$route"
        _describe -o -t options "option" offered
        return
    fi
    if ((count == 0)); then
        __capcli_commands "$route"
        (($#offered)) && _describe -V -t commands "command" offered
    fi
    __capcli_argument "$route" "$count"
    [[ -n $origin ]] && __capcli_fill "$origin"
}

if [[ $funcstack[1] == _capcli ]]; then
    _capcli "$@"
elif (($+functions[compdef])); then
    compdef _capcli capcli
fi
"""


def script(levels: tuple[Level, ...]) -> str:
    """Return the script."""
    tables = {
        "<COMMANDS>": [f'    ("{level.path}|{word.text}") ;;' for level in levels for word in level.commands],
        "<VALUED>": [
            f'    ({"|".join(pattern(route, name) for name in names)}) origin="{source}" ;;'
            for route, names, source in valued(levels)
        ],
        "<ARGUMENTS>": [
            f'    ("{route}|"{"*" if index is None else index}) origin="{source}" ;;'
            for route, index, source in arguments(levels)
        ],
        "<WORDS>": [line for level in levels if level.commands for line in _case(level.path, level.commands)],
        "<OPTIONS>": [
            line for level in levels[1:] if level.options for line in _case(level.path, level.flags)
        ],
        "<GLOBALS>": _pairs(levels[0].flags),
    }
    return filled(_SCRIPT, tables)


def _case(path: str, words: Sequence[Word]) -> list[str]:
    return [f'    ("{path}") offered=(', *_pairs(words), "    ) ;;"]


def _pairs(words: Sequence[Word]) -> list[str]:
    abouts = (word.about.replace("\\", "\\\\").replace("'", "'\\''") for word in words)
    texts = (word.text.replace(":", "\\:") for word in words)
    return [f"        '{text}:{about}'" for text, about in zip(texts, abouts, strict=True)]
