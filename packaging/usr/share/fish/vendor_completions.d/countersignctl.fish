# fish completion for countersignctl(1): what may come next is its own answer.

function __countersignctl_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l current (commandline -ct)
    for line in (command countersignctl complete -- $words "$current" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end

complete -c countersignctl -f -a '(__countersignctl_complete)'
