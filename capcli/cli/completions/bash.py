"""The completion script for bash, from 3.2 on (what macOS ships): case tables, no associative arrays.

Values that brokers named are compared, never given to `compgen -W`, which would expand them.
"""

from capcli.cli.completions.plan import Level, arguments, filled, valued

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
    names = {level.path: " ".join(word.text for word in level.commands) for level in levels}
    flags = {level.path: " ".join(flag.text for flag in level.flags) for level in levels}
    everywhere = flags[""]
    flags[""] = ""
    tables = {
        "<COMMANDS>": [f'    "{level.path}|{word.text}") ;;' for level in levels for word in level.commands],
        "<VALUED>": [
            f'    {" | ".join(pattern(route, name) for name in named)}) source="{source}" ;;'
            for route, named, source in valued(levels)
        ],
        "<ARGUMENTS>": [
            f'    "{route}|"{"*" if index is None else index}) source="{source}" ;;'
            for route, index, source in arguments(levels)
        ],
        "<WORDS>": [f'    "{path}") words="{names[path]}|{flags[path]}" ;;' for path in names],
        "<GLOBALS>": [everywhere],
    }
    return filled(_SCRIPT, tables)


def pattern(route: str | None, name: str) -> str:
    return f'*"|{name}"' if route is None else f'"{route}|{name}"'
