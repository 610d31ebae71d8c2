# bash completion for tagwharf-ctl
_tagwharf_ctl() {
    local current=${COMP_WORDS[COMP_CWORD]} choices
    if [ "$COMP_CWORD" = 1 ]; then
        choices="list status check switch rollback recover forget"
    else
        case ${COMP_WORDS[1]} in
            check | switch | forget) choices="$(ls /opt/tagwharf/versions 2>/dev/null) --ticks --within --no-restart" ;;
            rollback | recover) choices="--ticks --within --no-restart" ;;
            status) choices="--json" ;;
            *) choices= ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
}
complete -F _tagwharf_ctl tagwharf-ctl
