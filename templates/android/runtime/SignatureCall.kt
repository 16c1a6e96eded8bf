package dropkit

/** One signature and the slots of its tensors. What runs it is the engine's own [Call]. */
internal abstract class SignatureCall(
    val spec: Spec,
    protected val inputs: Map<String, Slot>,
    protected val outputs: Map<String, Slot>,
) {
    /** Whether it ever ran: variables may be other than as built. */
    var ran = false
        private set

    fun input(name: String): Slot = inputs.getValue(name)

    fun output(name: String): Slot = outputs.getValue(name)

    fun run() {
        ran = true
        invoke()
    }

    protected abstract fun invoke()
}
