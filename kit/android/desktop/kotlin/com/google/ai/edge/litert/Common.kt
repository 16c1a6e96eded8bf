package com.google.ai.edge.litert

import java.util.concurrent.atomic.AtomicBoolean

/** The hardware that a model can run on. */
enum class Accelerator private constructor(val value: Int) {
    NONE(0),
    CPU(1),
    GPU(2),
    NPU(3);

    companion object {
        // The C library's bit of each, which is not its value here.
        internal fun bits(all: Set<Accelerator>): Int = all.fold(0) { bits, each -> bits or each.bit() }

        internal fun ofBits(bits: Int): Set<Accelerator> = values().filter { it.bit() and bits != 0 }.toSet()

        private fun Accelerator.bit(): Int = if (this == NONE) 0 else 1 shl (value - 1)
    }
}

/** Something that the native library holds and that is released once. */
abstract class JniHandle internal constructor(internal val handle: Long) : AutoCloseable {
    private val destroyed = AtomicBoolean(false)

    protected fun assertNotDestroyed() {
        if (destroyed.get()) {
            throw IllegalStateException("The handle has been destroyed.")
        }
    }

    protected abstract fun destroy()

    final override fun close() {
        if (destroyed.compareAndSet(false, true)) {
            destroy()
        }
    }
}
