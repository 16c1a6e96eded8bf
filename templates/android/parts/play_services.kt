        /** Waits until Google Play services have their runtime at hand. */
        private fun awaitPlayServices(context: Context) {
            val remedy = "update Google Play services, or link a runtime that the app brings itself"
            try {
                Tasks.await(TfLite.initialize(context), PLAY_SERVICES_SECONDS, TimeUnit.SECONDS)
            } catch (error: ExecutionException) {
                val cause = error.cause ?: error
                throw IllegalStateException("Google Play services give no TensorFlow Lite: ${cause.message ?: cause}; $remedy", error)
            } catch (error: TimeoutException) {
                val time = "$PLAY_SERVICES_SECONDS seconds"
                throw IllegalStateException("Google Play services gave no TensorFlow Lite within $time; $remedy", error)
            }
        }
