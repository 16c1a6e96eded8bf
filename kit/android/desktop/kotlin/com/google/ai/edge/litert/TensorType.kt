package com.google.ai.edge.litert

/** The element type and the sizes of a tensor. */
data class TensorType
@JvmOverloads
constructor(val elementType: ElementType, val layout: Layout? = null) {
    enum class ElementType {
        INT,
        FLOAT,
        INT8,
        BOOLEAN,
        INT64,
    }

    data class Layout
    @JvmOverloads
    constructor(val dimensions: List<Int>, val strides: List<Int> = listOf()) {
        @JvmOverloads
        constructor(
            dimensions: IntArray,
            strides: IntArray = intArrayOf(),
        ) : this(dimensions.toList(), strides.toList())

        val rank: Int
            get() = dimensions.size

        val hasStrides: Boolean
            get() = strides.isNotEmpty()
    }
}
