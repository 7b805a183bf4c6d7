"""The completion script for bash, from 3.2 on (what macOS ships): case tables, no associative arrays.

Values that brokers named are compared, never given to `compgen -W`, which would expand them.
"""

from capcli.cli.completions.plan import Level, arguments, valued

_SCRIPT = r"""# Completion of capcli for bash. Generated from the command tree: capcli help completions

__capcli_command() {
    case "$1|$2" in
<COMMANDS>
    *) return 1 ;;
    esac
}

__capcli_valued() {
    case "$1|$2" in
<VALUED>
    *) return 1 ;;
    esac
}

__capcli_argument() {
    case "$1|$2" in
<ARGUMENTS>
    *) source= ;;
    esac
}

__capcli_words() {
    case "$1" in
<WORDS>
    *) words= ;;
    esac
}

__capcli_offer() {
    local word
    for word in $1; do
        [[ $word == "$current"* ]] && COMPREPLY+=("$word")
    done
}

__capcli_ask() {
    local word rest program=${COMP_WORDS[0]/#\~/$HOME}
    while IFS=$'\t' read -r word rest; do
        [[ $word == "$current"* ]] && COMPREPLY+=("$word")
    done < <("$program" __complete "$1" ${place[@]+"${place[@]}"} 2>/dev/null)
}

__capcli_files() {
    local file
    compopt -o filenames 2>/dev/null
    while IFS= read -r file; do
        COMPREPLY+=("$file")
    done < <(compgen -f -- "$current")
}

__capcli_fill() {
    case "$1" in
    @*) __capcli_ask "${1#@}" ;;
    files) __capcli_files ;;
    *) __capcli_offer "$1" ;;
    esac
}

# The environment and the profile of this line decide which values were seen.
__capcli_place() {
    local index next
    for ((index = 1; index < ${#COMP_WORDS[@]}; index++)); do
        case "${COMP_WORDS[index]}" in
        --env | --profile | --account)
            next=$((index + 1))
            [[ ${COMP_WORDS[next]-} == "=" ]] && next=$((next + 1))
            [[ -n ${COMP_WORDS[next]-} ]] && place+=("${COMP_WORDS[index]}" "${COMP_WORDS[next]}")
            ;;
        esac
    done
}

_capcli() {
    local IFS=$' \t\n' current=${COMP_WORDS[COMP_CWORD]} route="" key="" count=0 ended="" index word
    local source="" words=""
    local -a place=()
    COMPREPLY=()
    [[ $current == "=" ]] && current=""
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if [[ -n $key ]]; then
            [[ $word == "=" ]] || key=""
        elif [[ -z $ended && $word == "--" ]]; then
            ended=1
        elif [[ -z $ended && $word == -* ]]; then
            __capcli_valued "$route" "$word" && key=$word
        elif [[ -z $ended && $count == 0 ]] && __capcli_command "$route" "$word"; then
            route=${route:+$route }$word
        else
            count=$((count + 1))
        fi
    done
    __capcli_place
    if [[ -n $key ]]; then
        __capcli_valued "$route" "$key"
        __capcli_fill "$source"
        return
    fi
    __capcli_words "$route"
    if [[ -z $ended && $current == -* ]]; then
        __capcli_offer "${words#*|} <GLOBALS>"
        return
    fi
    [[ $count == 0 ]] && __capcli_offer "${words%%|*}"
    __capcli_argument "$route" "$count"
    __capcli_fill "$source"
}

complete -F _capcli capcli
"""


def script(levels: tuple[Level, ...]) -> str:
    """Return the script."""
    root = levels[0]
    commands = [f'    "{level.path}|{word.text}") ;;' for level in levels for word in level.commands]
    values = [
        f"    {' | '.join(_pattern(route, name) for name in names)}) source={_quoted(source)} ;;"
        for route, names, source in valued(levels)
    ]
    places = [
        f'    "{route}|"{"*" if index is None else index}) source={_quoted(source)} ;;'
        for route, index, source in arguments(levels)
    ]
    words = [f'    "{level.path}") words={_quoted(_words(level))} ;;' for level in levels if level.path]
    words.insert(0, f'    "") words={_quoted(" ".join(word.text for word in root.commands) + "|")} ;;')
    tables = {
        "<COMMANDS>": commands,
        "<VALUED>": values,
        "<ARGUMENTS>": places,
        "<WORDS>": words,
        "<GLOBALS>": [" ".join(_flags(root))],
    }
    text = _SCRIPT
    for mark, lines in tables.items():
        text = text.replace(mark, "\n".join(lines))
    return text


def _pattern(route: str | None, name: str) -> str:
    return f'*"|{name}"' if route is None else f'"{route}|{name}"'


def _words(level: Level) -> str:
    return f"{' '.join(word.text for word in level.commands)}|{' '.join(_flags(level))}"


def _flags(level: Level) -> list[str]:
    return [name for option in level.options for name in option.names]


def _quoted(text: str) -> str:
    return f'"{text}"'
