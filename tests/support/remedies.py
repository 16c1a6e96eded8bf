# ruff: noqa: E501 - a pattern and its test are one line
"""What follows each next step that the kit prints: the test that does so, or why none can.

A row is a pattern of next steps (docs/errors.md has all), and where they are followed. project/test_errors.py holds both to be
whole: no next step without a row, no row without a next step, no name of a test that is none.
"""

from __future__ import annotations

MESSAGES = "worker/test_messages.py::test_the_next_step_gets_past_the_failure"
HOST = "builds/test_host_remedies.py::test_the_next_step_gets_past_the_refusal"

FOLLOWED = {
    # the model's own code
    r"define or import|correct (custom\.py|<code>|<CODE>|\[model\] code)|give it in \[model\] code: CUSTOM": MESSAGES,
    r"build\(\)|tf\.where|keras\.ops' operations|tf\.reshape|tf\.py_function|what the cause says": MESSAGES,
    r"give that name in \[model\] code": "worker/test_loading.py::test_byte_code_that_misses_a_name_says_which_and_what_to_write",
    r"give it in \[model\] code: <_given>": "worker/test_loading.py::test_byte_code_of_another_python_is_refused_with_what_to_write",
    r"has a function without a name": "worker/test_loading.py::test_functions_without_a_name_can_be_given_by_their_layers",
    r"give each by its layer": "worker/test_loading.py::test_one_name_for_two_functions_is_refused",
    r"is not in the toolchain, which has numpy": "worker/test_loading.py::test_an_error_in_the_code_names_its_line",
    r"import tensorflow\.keras$": "worker/test_code_forms.py::test_a_layer_of_tensorflows_private_keras_says_what_to_import",
    r"write `import <own>`|import keras in the code": "worker/test_loading.py::test_code_that_builds_no_model_is_refused",
    r"by their names: CUSTOM_OBJECTS|write CUSTOM_OBJECTS|def build_model\(\)": MESSAGES,
    # the model: memory, numbers, samples, names, shapes
    r"--memory 16g|<what the cause says>": MESSAGES,
    r"\[checks\] gate = false": MESSAGES,
    r"range = \[lowest, highest\]|correct the data: ids|leave the check out": MESSAGES,
    r"did you mean '<n": MESSAGES,
    r"\[\[inputs\]\] name = \"<\w+>\" and shape = \[\.\.\.\]": MESSAGES,
    r"replace the layer that uses it": MESSAGES,
    r"give the shape that the model was trained with": HOST,
    r"--timeout 7200": "builds/test_refusals.py::test_a_conversion_that_takes_too_long_is_ended",
    r"give each( input of its call.*)? as \[\[inputs\]\] with name and shape|give each tensor of its call|"
    r"give each input of its call": "worker/test_loading.py::test_a_subclassed_model_of_several_tensors_takes_their_shapes_from_the_recipe",
    r"that code run: in a container|let that code run|build (it )?in a container": (
        "worker/test_loading_builds.py::test_code_runs_in_the_local_engine_only_where_the_recipe_says_so"
    ),
    r"trust it with what this user may do": "source_model/test_trust.py",
    r"give it: \[model\] structure|give its structure": (
        "worker/test_loading_builds.py::test_weights_with_code_and_structure_are_verified_from_the_bundle_alone"
    ),
    r"copy or (save|export|convert) it again|save the whole model again": HOST,
    r"keep it as a variable": "worker/test_variables.py",
    r"use scheme = \"dynamic\": 8-bit": "worker/test_recurrent.py::test_open_and_long_loops_are_refused_by_layer_and_the_remedies_build",
    r"`kit clean` lists what is there": "engine/test_cache_heals.py::test_clean_removes_what_is_named_and_leaves_what_is_used_or_a_users",
    r"move what is yours out of it|move those files to another folder": "engine/test_files.py::test_a_file_of_the_users_own_in_the_folder_is_named_and_kept",
    r"leave fused_lstm out": (
        "worker/test_state.py::test_fused_lstm_is_refused_where_nothing_is_fused_and_where_nothing_can_reset_it"
    ),
    r"give the axis a size": "worker/test_state.py::test_an_open_length_whose_sizes_are_computed_is_refused_in_int8_and_the_remedies_build",
    r"leave mean and std out": "builds/test_gate.py::test_one_normalization_or_a_second_that_is_meant_builds",
    # the recipe and its data
    r"docs/recipe\.md has every key|correct that place|name a recipe\.toml file": HOST,
    r"save (it again: numpy|one sample a row|one array|an array of that name|pixels as uint8)": HOST,
    r"give (an array of shape|one label a line|a \.npz file|one for each channel|whole numbers)": HOST,
    r"give the (shape without|sizes in the recipe)|leave (color|structure|dtype) out|use kind = \"tensor\"": HOST,
    r"write one label a line|give a text file in UTF-8|add y: one|leave those samples out": HOST,
    r"replace or remove that file|put <sorted> files there|name the folders by|move it into the folder": HOST,
    r"add shape = \[height|use \.npz with one array": HOST,
    r"give representative = |give \[quantize\] representative": HOST,
    r"paths are relative|check its path and its permissions|name a model file": HOST,
    r"give one such as 2\.19\.1|write 512m or 8g|give a number of seconds|there is: auto|give 1 or more": HOST,
    r"set \[toolchain\] tensorflow = ": "toolchains/test_toolchains.py",
    r"give (all, or|all the)|there is: <known>": "matrix/test_matrix.py",
    r"build the bundle again|build it again|name a folder that `build` wrote": (
        "bundle/test_emulate.py::test_a_damaged_bundle_says_which_file_and_what_to_do"
    ),
    r"allow it with --allow-code|let it run with --allow-code": "bundle/test_bundle_is_data.py",
    r"name (each in its order|it with --model|it: <each>)": (
        "worker/test_loading_builds.py::test_joined_models_are_verified_with_each_of_their_files"
    ),
    r"then try scheme|\[quantize\] scheme|<hint>": "builds/test_gate.py::test_a_ruined_int8_file_is_refused_the_old_bundle_stays_and_the_remedy_works",
    r"streaming( out|:)|streaming = true|\[model\] batch out": "worker/test_streaming.py",
    r"name (a|another|an|the) layer|name one from|the layer around|name the operation": "worker/test_loading.py",
    r"name the outputs to take|leave it out: \[model\] outputs|take outputs|end the file before|add it there|add them: ": (
        "worker/test_contract.py"
    ),
    r"give one (another|of them another) name|choose (others|the one)|add the arrays": "worker/test_contract.py",
    r"int32|give sizes that it can take|leave batch out|give \[model\] batch": "worker/test_contract.py",
    r"\[variables( keep|\.train)?\]|variables kept|keep = \[|keep others|name the weights alone": "worker/test_variables.py",
    r"fft_length|window=None": "worker/test_trained_models.py",
    r"quantize_model|quantize_apply|as \.h5$|strip_clustering|or train it for 8 bits|before model\.quantize": "worker/test_qat.py",
    r"do the lookup|start the file behind|feed ids": "worker/test_contract.py",
    r"save it with signatures=|export the model with|model\.export|SavedModel with the code|tf\.TensorSpec": (
        "worker/test_loading.py::test_what_no_app_can_run_is_refused"
    ),
    r"so that it gives what the other takes|give the outputs of the one": "worker/test_loading_builds.py",
    r"give the structure that they were saved with": "worker/test_loading.py::test_weights_alone_without_a_structure_say_what_to_give",
    r"in which it changes|range that the model was trained on": "builds/test_gate.py",
    r"leave io out": "worker/test_recurrent.py",
    r"write it with model\.to_json": "source_model/test_modelfile.py::test_a_whole_model_is_itself_whatever_structure_is_given",
    r"write that step with TensorFlow": MESSAGES,
    r"^<hints>$": "android/test_android_proof.py",
    r"number the classes from 0|give one class number|say which: \[\[outputs\]\]": "builds/test_measure.py",
    r"choose another folder|--out": "builds/test_refusals.py::test_a_folder_that_is_no_bundle_is_never_replaced",
    r"--kit freeze|`kit freeze": "worker/test_freeze.py",
    r"quote the pattern|name a \.keras, \.h5|name a \.tflite|name a bundle|name a file that a": "worker/test_freeze.py",
    r"name (one of its modules|the folder of an Android|the app's module|a module of)|bundles in it": "android/test_drop.py",
    r"version control$|move your changes|put a folder or a file|for one \[android\] runtime|another \[android\] package": (
        "android/test_drop.py"
    ),
    r"GROUP=BUNDLE|build both for <|build the variant|that \[model\] id|say there which devices|Play's page": "android/test_pack.py",
    r"runtime = \"|\[android\] runtime|give one of <APIS>|name one as litert": "android/test_android_bindings.py",
    r"join inputs|another dtype there|own labels|smaller \[model\] batch": "android/test_android_bindings.py",
    r"leave the others out: `kit image|name a file( in another place)?: --export|image V --export": "engine/test_image.py",
}

NOT_HERE = {
    r"--tensorflow 2\.18\.1": "a converter's own fault: another version may do, and which one is known when it happens",
    r"fewer evaluation samples|do not use it": "a job that leaves gigabytes, or links: its model is hostile",
    r"network|DROPKIT_DEBIAN_MIRROR|npm|DROPKIT_BASE|docker|engine|disk|from the cache|`inv lock`|--pin|DROPKIT_CACHE|NAME@sha256": (
        "another network, disk, registry or engine"
    ),
    r"apt-get install|Linux|JAVA_HOME|architecture|aarch64|kit doctor|free machine|use a container there": (
        "another machine, or a tool that is missing on it"
    ),
    r"install dropkit|update dropkit|clone the repository|pinned base|that image and run it again|lock": (
        "another installation"
    ),
    r"PyTorch|whose>'s own code|diverged|learning_rate|fewer models inside": "a model to be built or trained again",
    r"`zipalign|apksigner|noCompress|prove it again|inv bench|operators`?$|^leave out the versions": (
        "a file that only a broken tool writes"
    ),
    r"Keras that wrote it|TensorFlow <written>|TensorFlow that `kit|convert it with|take TensorFlow 2\.18": (
        "a toolchain beside the pinned ones, or a fault of one version alone"
    ),
    r"delete|run it again|copy it again|report": "a download that was damaged on its way",
    r"inputs of another size|other outputs|newer runtime": "an interpreter that crashes on one size",
    r"set TMPDIR to another folder|another package index may respond": "a full disk, or another index",
    r"fewer, or smaller|is meant": "more pixels than memory holds",
}
