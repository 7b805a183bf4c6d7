"""The completion script for fish: one function that prints the words possible at the cursor."""

from capcli.cli.completions.plan import Level, Word, arguments, filled, valued

_SCRIPT = r"""# Completion of capcli for fish. Generated from the command tree: capcli help completions

function __capcli_command
    switch "$argv[1]|$argv[2]"
<COMMANDS>
            return 0
    end
    return 1
end

function __capcli_valued
    switch "$argv[1]|$argv[2]"
<VALUED>
        case '*'
            return 1
    end
end

function __capcli_argument
    switch "$argv[1]|$argv[2]"
<ARGUMENTS>
    end
end

function __capcli_commands
    switch "$argv[1]"
<WORDS>
    end
end

function __capcli_options
    switch "$argv[1]"
<OPTIONS>
    end
<GLOBALS>
end

# The environment and the profile of this line decide which values were seen.
function __capcli_place
    set -l words $argv
    while set -q words[1]
        switch "$words[1]"
            case '--env=*' '--profile=*' '--account=*'
                string split -m 1 = -- $words[1]
            case --env --profile --account
                set -q words[2]; and printf '%s\n' $words[1..2]
        end
        set -e words[1]
    end
end

function __capcli_fill
    switch "$argv[1]"
        case '@*'
            set -l words (commandline -opc)
            set -l program (string replace -r '^~' $HOME -- $words[1])
            $program __complete (string sub -s 2 -- $argv[1]) (__capcli_place $words) 2>/dev/null
        case files
            __fish_complete_path (commandline -ct)
        case '*'
            string split -n ' ' -- $argv[1]
    end
end

function __capcli_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l route
    set -l key
    set -l ended
    set -l count 0
    for word in $words[2..-1]
        if test -n "$key"
            set key
        else if test -z "$ended" -a "x$word" = x--
            set ended 1
        else if test -z "$ended"; and string match -q -- '-*' $word
            __capcli_valued "$route" $word >/dev/null; and set key $word
        else if test -z "$ended" -a $count = 0; and __capcli_command "$route" $word
            set route (string join ' ' -- $route $word)
        else
            set count (math $count + 1)
        end
    end
    if test -n "$key"
        __capcli_fill (__capcli_valued "$route" $key)
        return
    end
    if test -z "$ended"; and string match -q -- '--*=*' $current
        set key (string split -m 1 = -- $current)[1]
        set -l source (__capcli_valued "$route" $key); or return
        __capcli_fill "$source" | string replace -r '^' -- "$key="
        return
    end
    if test -z "$ended"; and string match -q -- '-*' $current
        __capcli_options "$route"
        return
    end
    test $count = 0; and __capcli_commands "$route"
    __capcli_fill (__capcli_argument "$route" $count)
end

complete -c capcli -e
complete -c capcli -k -f -a '(__capcli_complete)'
"""


def script(levels: tuple[Level, ...]) -> str:
    """Return the script."""
    listed = " ".join(f"'{level.path}|{word.text}'" for level in levels for word in level.commands)
    cases: dict[str, list[str]] = {"<VALUED>": [], "<ARGUMENTS>": [], "<WORDS>": [], "<OPTIONS>": []}
    for route, names, source in valued(levels):
        patterns = " ".join(f"'{route or '*'}|{name}'" for name in names)
        cases["<VALUED>"] += [f"        case {patterns}", f"            echo '{source}'"]
    for path, index, source in arguments(levels):
        place = "*" if index is None else index
        cases["<ARGUMENTS>"] += [f"        case '{path}|{place}'", f"            echo '{source}'"]
    for level in levels:
        for mark, words in (("<WORDS>", level.commands), ("<OPTIONS>", level.flags if level.path else ())):
            if words:
                cases[mark] += [f"        case '{level.path}'", *(_print(word, 12) for word in words)]
    flags = [_print(word, 4) for word in levels[0].flags]
    return filled(_SCRIPT, {"<COMMANDS>": [f"        case {listed}"], **cases, "<GLOBALS>": flags})


def _print(word: Word, indent: int) -> str:
    about = word.about.replace("\\", "\\\\").replace("'", "\\'")
    return f"{' ' * indent}printf '%s\\t%s\\n' '{word.text}' '{about}'"
