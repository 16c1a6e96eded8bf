# ruff: noqa: E501 - a test and what it follows are lines of a table
"""What follows each next step that the kit prints: the one test that does so, or why none can.

A next step stands here as docs/errors.md has it; one that ends in " ..." is how it begins. project/test_errors.py holds
the tables to be whole: each next step is in one of them, each is one that is printed, and each test is there and knows
the words of what it follows.
"""

from __future__ import annotations

FOLLOWED: dict[str, tuple[str, ...]] = {
    "bundle/test_serve.py::test_a_build_that_takes_the_bundles_place_is_noticed": ("start the page again",),
    "bundle/test_serve.py::test_a_port_that_is_taken_is_refused_and_another_one_is_had": (
        "give another --port, or leave it out for any",
        "give one from 1 to 65535, or leave it out for any",
    ),
    "bundle/test_serve.py::test_one_that_hangs_is_ended_and_the_next_file_is_run": ("give a smaller file",),
    "bundle/test_serve.py::test_options_that_do_not_go_with_a_page_are_refused_at_once": (
        "add --serve, or leave <name> out",
        "there is: <KERNELS>",
    ),
    "builds/test_output_metrics.py::test_boxes_that_are_read_in_other_units_or_another_format_are_refused_with_the_keys_to_write": (
        "write units = '<other>'; or, if that is as it should be: ...",
        "write <_words>; or, if that is as it should be: ...",
    ),
    "bundle/test_emulate_model_file.py::test_an_avif_is_read_and_a_heic_is_refused_with_what_to_do": (
        "save it as JPEG or PNG; or run: <install>",
    ),
    "bundle/test_explore.py::test_a_record_that_is_none_is_refused_until_it_is_removed": (
        "remove it, or build the bundle again",
    ),
    "bundle/test_explore.py::test_without_model_explorer_it_is_named_and_the_node_data_is_written": (
        "pip install ai-edge-model-explorer; or --out ...",
    ),
    "bundle/test_comparison.py::test_git_diff_shows_models_by_the_driver_and_goes_on_behind_one_it_cannot_read": (
        "git config diff.kit.command 'kit gitdiff --', ...",
    ),
    "source_model/test_inspect_refusals.py::test_a_file_that_is_none_of_them_is_refused_and_each_of_them_is_read": (
        "name a model file, a SavedModel, a bundle or a recipe",
    ),
    "android/test_android_proof.py::test_the_other_api_is_proved_from_the_bundle_and_leaves_nothing": (
        "leave --accelerator out",
    ),
    "android/test_gpu_driver.py::test_a_gpu_that_is_off_on_the_golden_vectors_alone_is_found_by_the_proof": (
        "let the app ask for float32 or the CPU: ...",
    ),
    "bundle/test_emulate_arm64.py::test_outputs_that_are_off_the_golden_vectors_are_named_until_the_bundle_is_built_again": (
        "an app on a phone gives these outputs: try another runtime with --runtime, ...",
    ),
    "bundle/test_emulate_arm64.py::test_what_arm64_does_not_do_is_refused_at_once": (
        "add --arch arm64, or leave --cpu out",
        "name a newer runtime: --runtime litert:1.1.2",
        "there is: <CPUS>",
        "write --arch arm64, or leave it out",
    ),
    "engine/test_arm64_install.py::test_a_machine_for_which_none_is_pinned_is_refused": (
        "leave out --arch: the bundle runs on arm64 as it is",
        "run it on such a machine, or leave out what asks for arm64",
    ),
    "engine/test_arm64_install.py::test_a_package_without_the_emulator_is_refused_until_the_lock_is_restored": (
        "restore the lock from version control",
    ),
    "bundle/test_emulate_gpu.py::test_a_driver_that_crashes_is_named_with_its_signal": (
        "run it again; where it ends so again, leave the GPU out in the app",
    ),
    "bundle/test_emulate_gpu.py::test_a_model_that_overflows_and_one_that_no_gpu_takes": (
        "keep the CPU in the app's list of accelerators, ...",
        "let the app ask for float32: create(context, ...",
        "remove [checks] gpu, and <hint>",
    ),
    "bundle/test_emulate_gpu.py::test_outputs_that_are_off_the_golden_vectors_are_named": (
        "leave the GPU out in the app: create(context, ...",
    ),
    "bundle/test_emulate_gpu.py::test_the_gate_is_refused_for_an_app_without_that_gpu_before_anything_runs": (
        "remove gpu, or write [android] runtime = ...",
    ),
    "bundle/test_emulate_gpu.py::test_what_the_gpu_does_not_do_is_refused_at_once": (
        "leave <what> out",
        "write --accelerator gpu, or leave it out",
    ),
    "engine/test_gpu_install.py::test_a_driver_that_lacks_a_library_is_refused_and_nothing_of_it_is_left": (
        "install that library with the system's package ...",
    ),
    "engine/test_gpu_install.py::test_a_machine_for_which_none_is_pinned_is_refused": (
        "run it on such a machine, or leave out what asks for the GPU",
    ),
    "init/test_init_remedies.py::test_what_init_refuses_works_as_its_next_step_says": (
        "name another folder",
        "give an .npz with one array for each input: numpy.savez('data.npz', name=values, y=classes)",
        "name a folder with some of them",
        "name a folder, an .npz, a .csv or a .txt",
        "give another file with --out, as in --out other.toml; or move this one away",
        "make it first, or give another --out",
        "rename it",
        "give a folder of images or .wav files, an .npz, a .csv, or a .txt with one text a line",
        "one row for each sample",
        "save it as UTF-8",
        "correct it",
        "leave such rows out",
        "name the arrays by the model's inputs: ...",
    ),
    "builds/test_auto.py::test_auto_on_too_few_samples_is_refused": ("give 20 samples or more in [checks] ...",),
    "builds/test_auto.py::test_auto_without_data_says_what_needs_none": (
        "give [checks] data, or name a scheme: dynamic ...",
    ),
    "builds/test_auto.py::test_checks_that_no_candidate_keeps_are_refused": (
        "allow more in [checks], or look at what ...",
    ),
    "builds/test_own_metrics.py::test_a_fault_of_the_code_is_named_with_its_line": (
        "correct that line",
        "return one number: float(...)",
        "write it, def <function>(truth, outputs): ...; there is: <there>",
    ),
    "builds/test_own_metrics.py::test_one_that_hangs_is_ended_and_one_that_ends_the_process_is_named": (
        "calculate with whole arrays, without a loop over ...",
        "correct what ends the process there; of too ...",
    ),
    "builds/test_own_metrics.py::test_the_local_engine_runs_it_only_where_the_recipe_trusts_it": (
        "build it in a container (--engine docker), or trust it: [model] allow_code = true",
    ),
    "builds/test_own_metrics.py::test_truth_in_files_is_refused_and_taken_as_an_array": (
        "save it as the array y/<output> in the .npz",
    ),
    "builds/test_litert_quantizer.py::test_a_pattern_without_a_layer_is_refused_with_those_there_are": (
        "there is: <known>; a layer that was fused ...",
    ),
    "builds/test_litert_quantizer.py::test_ranges_need_data": ("give calibration data: representative = ...",),
    "builds/test_litert_quantizer.py::test_operators_of_tensorflow_stay_with_its_converter": (
        'use scheme = "float16" or "dynamic" with quantizer = ...',
    ),
    "builds/test_quantizer_engines.py::test_a_limit_that_ends_it_is_named_with_what_to_give": (
        "give it more memory, as in --memory 16g; or use <instead>",
        "give it more time, as in --timeout 7200; or use <instead>",
    ),
    "builds/test_litert_quantizer.py::test_four_bits_that_lose_too_much_are_mixed_after_the_next_step": (
        'try scheme = "dynamic"; or scheme = "auto", ...',
    ),
    "builds/test_litert_quantizer.py::test_a_loop_in_whole_numbers_is_refused_and_built_after_the_next_step": (
        "use <instead>",
    ),
    "android/test_android_updates.py::test_a_private_key_of_no_use_is_refused_and_the_next_step_makes_one": (
        "make a key: openssl genpkey -algorithm EC ...",
        "make a key of it: openssl genpkey -algorithm EC ...",
        "name the private key; a new one: openssl genpkey ...",
    ),
    "android/test_android_updates.py::test_an_encrypted_key_is_refused_and_signs_once_it_is_decrypted": (
        "decrypt it for this run, and remove the copy: ...",
    ),
    "android/test_android_updates.py::test_a_public_key_of_no_use_is_refused_before_anything_is_built": (
        "name its public key: openssl pkey ...",
        "take that of a private key: openssl pkey ...",
    ),
    "android/test_android_updates.py::test_another_key_than_the_bundles_is_refused_with_exit_code_4": (
        "sign with the key of [android] update_key; or ...",
    ),
    "android/test_android_updates.py::test_a_version_that_no_app_takes_is_refused": (
        "raise [android] update_version and build again, ...",
    ),
    "android/test_android_updates.py::test_without_a_key_nothing_is_signed": ("--key key.pem; a new one: <MAKE>",),
    "android/test_android_updates.py::test_a_bundle_whose_class_has_no_key_is_refused": (
        '[android] update_key = "key.pub.pem", and build ...',
    ),
    "android/test_android_bindings.py::test_a_client_of_play_services_without_signatures_is_refused": (
        'take a newer one: [android] runtime = "play:16.5.0" ...',
    ),
    "android/test_android_bindings.py::test_an_unknown_api_is_refused": ("give one of <APIS>",),
    "android/test_android_bindings.py::test_labels_that_are_not_as_many_as_classes_are_refused": (
        "give the model's own labels, one a line",
    ),
    "android/test_android_bindings.py::test_more_inputs_than_kotlin_takes_are_joined_in_the_model": (
        "join inputs in the model",
    ),
    "android/test_android_bindings.py::test_play_services_have_no_tensorflow_operators": (
        '[android] runtime = "tflite:2.14.0" can link ...',
    ),
    "android/test_android_bindings.py::test_play_services_have_no_way_to_reset_state": (
        "leave fused_lstm out; or [android] runtime ...",
    ),
    "android/test_android_bindings.py::test_two_tensors_that_would_be_one_section_are_set_apart_by_another_name": (
        "give one of them another name",
    ),
    "android/test_android_bindings.py::test_what_is_no_runtime_is_refused_with_those_there_are": (
        "name one as litert:2.3.0, litert:1.4.0, tflite:2.14.0 ...",
    ),
    "android/test_android_bindings.py::test_what_kotlin_cannot_hold_is_refused_by_name_and_taken_after_the_next_step": (
        "give a smaller [model] batch or, where the ...",
        "give it a fixed size ([[inputs]] shape, [model] ...",
        "take the Interpreter: leave --api out; a ...",
        "these are known: <ARRAYS>; give the model another dtype there",
    ),
    "android/test_android_proof.py::test_a_bundle_built_wrong_is_refused_for_its_names_and_counts": (
        "build the bundle again",
        "build the bundle again on this machine, and ...",
        "build the bundle again; look at mean, std and the order of the labels",
        "write it again: build the bundle again",
    ),
    "android/test_android_proof.py::test_a_java_that_is_too_old_is_passed_by_with_java_home": (
        "apt-get install default-jdk-headless npm libjna-java junit4 libhamcrest-java aapt zipalign apksigner android-framework-res, ...",
    ),
    "android/test_android_proof.py::test_a_jvm_that_dies_or_hangs_is_a_fault_with_its_cause": (
        "run `kit doctor`; where the Java is sound, build the bundle again",
    ),
    "android/test_android_proof.py::test_an_app_whose_model_is_not_on_a_page_is_refused": (
        "run `zipalign -f <value> IN.apk OUT.apk` ...",
    ),
    "android/test_android_proof.py::test_an_app_with_a_deflated_model_is_refused": (
        'androidResources { noCompress += "tflite" } ...',
    ),
    "android/test_drop.py::test_a_bundle_that_is_not_in_is_not_removed": ("the bundles in it: <there>",),
    "android/test_drop.py::test_a_changed_file_is_neither_overwritten_nor_removed": (
        "move your changes to files of your own, or ...",
    ),
    "android/test_drop.py::test_a_link_is_followed_nowhere_and_a_folder_in_its_place_is_taken": (
        "put a folder or a file there",
    ),
    "android/test_drop.py::test_a_state_file_that_is_cut_short_is_refused_with_what_to_do": (
        "restore it from version control",
    ),
    "android/test_drop.py::test_an_updated_dropkit_reads_what_it_wrote": ("update dropkit",),
    "android/test_drop.py::test_two_bundles_with_the_same_class_are_refused": (
        "give one of them another [android] package or [model] id",
    ),
    "android/test_drop.py::test_two_runtimes_in_one_app_are_refused": (
        "build both for one [android] runtime, or take <other> out with ...",
    ),
    "android/test_drop_projects.py::test_a_bundle_is_not_twice_in_one_app": (
        "leave it there, and depend on that module; ...",
    ),
    "android/test_drop_projects.py::test_two_runtimes_in_two_modules_of_one_app_are_refused": (
        "build both for one [android] runtime, or take <key> out there ...",
    ),
    "android/test_drop_projects.py::test_modules_that_are_no_place_for_a_bundle_are_refused": (
        "name a module of com.android.application or com.android.library that it uses",
    ),
    "android/test_drop.py::test_what_is_no_android_module_is_refused": (
        "name one of its modules: <names>",
        "name the folder of an Android module",
    ),
    "android/test_mediapipe.py::test_a_mediapipe_that_is_slow_is_tried_again_or_left_out": (
        "try again on a free machine; the other steps ...",
    ),
    "android/test_mediapipe.py::test_a_missing_library_of_the_system_is_reported_with_the_way_to_get_it": (
        "apt-get install libegl1 libgles2",
    ),
    "android/test_pack.py::test_a_group_that_the_app_does_not_declare_is_refused_with_the_lines_to_write": (
        "say there which devices it has: <config:device-group ...",
        "write it as Play's page on device targeting says",
    ),
    "android/test_pack.py::test_a_library_or_a_module_without_a_project_takes_no_pack": (
        "name a module of a whole project with --into",
        "name the app's module",
    ),
    "android/test_pack.py::test_a_variant_of_another_model_or_one_that_was_changed_is_refused": (
        "give it that [model] id",
    ),
    "android/test_pack.py::test_a_variant_that_the_class_could_not_read_is_refused_and_built_alike_it_is_taken": (
        "build both for <runtime>",
        "build the variant of <group> with the same ...",
    ),
    "android/test_pack.py::test_variants_that_are_none_are_refused": (
        "a variant is named as GROUP=BUNDLE, several ...",
    ),
    "android/test_tool_remedies.py::test_a_runtime_that_does_not_start_is_named_by_the_doctor_and_made_again": (
        "run `kit doctor`",
    ),
    "android/test_tool_remedies.py::test_a_runtime_without_its_library_is_proved_on_linux": ("run the proof on Linux",),
    "android/test_tool_remedies.py::test_a_tool_that_gives_up_is_named_by_the_doctor_and_a_sound_one_works": (
        "run `kit doctor`, which tries each of these ...",
    ),
    "android/test_tool_remedies.py::test_a_tool_that_is_slow_ends_on_a_free_machine": ("try again on a free machine",),
    "android/test_tool_remedies.py::test_the_desktops_classes_compile_when_they_are_installed_again": (
        "install dropkit again: these classes come with it",
    ),
    "android/test_tool_remedies.py::test_what_is_missing_is_in_the_packages_that_are_named": (
        "apt-get install default-jdk-headless npm libjna-java junit4 libhamcrest-java aapt zipalign apksigner android-framework-res",
    ),
    "builds/test_output_forms.py::test_anchors_come_from_npy_and_npz_and_what_is_none_is_refused": (
        "save float numbers [N, 4], the centre and the size of each anchor, 0..1 over the model's input",
    ),
    "builds/test_output_forms.py::test_boxes_that_do_not_fit_are_refused_and_taken_after_the_next_step": (
        "give a fixed shape ([[inputs]] shape), and leave [model] batch out",
        "give anchors = a file with as many as the model has boxes, in their order",
        "give one label a line, none for a background; or say that there is one: background = true",
        "give the head and the output with its scores: head and scores belong together",
        'name it: scores = "...", one of <outputs>',
        'name it: scores = "..."; there is: <beside>',
        "there is: <beside>",
        'use another head, as head = "scores", or another output: <beside>',
    ),
    "builds/test_output_forms.py::test_other_kinds_that_do_not_fit_are_refused_and_taken_after_the_next_step": (
        "change the model's last layer, or take this output with another kind",
        "give one label a line, in the order of the model's channels",
        'use activation = "sigmoid"',
        'use activation = "sigmoid", or leave it out',
    ),
    "builds/test_output_forms.py::test_pixels_are_those_of_the_image": (
        'give the image\'s [[inputs]] kind = "image" and a shape',
    ),
    "bundle/test_vision_outputs.py::test_a_mask_has_its_classes_where_they_are": (
        "name a folder that can be written: --save-images FOLDER",
    ),
    "bundle/test_vision_outputs.py::test_images_are_drawn_for_what_can_be_drawn_alone": ("leave --save-images out",),
    "builds/test_checks.py::test_kernels_may_round_otherwise_and_may_not_compute_something_else": (
        "name another runtime: [android] runtime (`kit ...",
    ),
    "builds/test_data_remedies.py::test_images_beyond_memory_are_read_one_at_a_time": (
        "correct [[inputs]] shape: each image ...",
    ),
    "builds/test_data_remedies.py::test_what_does_not_fit_is_taken_after_the_next_step": (
        "add shape = [height, width, channels] to that [[inputs]]",
        "give one for each channel, or one",
        "give red, green and blue, or one value",
        "save an array of that name, too; there is: <inputs>",
        "save one sample a row",
        "save what the layer that reads the text gives, ...",
        "use .npz with one array for each input",
        'use kind = "tensor"',
    ),
    "builds/test_metric_checks.py::test_f1_is_of_two_classes_and_its_next_step_is_of_more": (
        'use metric = "f1_macro"',
    ),
    "builds/test_truth_remedies.py::test_a_mask_in_colours_or_broken_is_saved_again": (
        "save one class number a pixel, in a PNG with a palette or in grayscale",
    ),
    "builds/test_truth_remedies.py::test_truth_that_cannot_be_read_is_after_the_next_step": (
        "add one with that name; there is: <outputs>",
        "add that mask",
        "add the array y/<output> to the .npz, or name ...",
        "close each double quote; a cell has at most 131,072 characters",
        "give COCO's instances: images with id, ...",
        "give a .csv or .json file in UTF-8",
        "give both as folders; or save the masks in ...",
        "leave one of the images out; of two files of that name, write the folders, too",
        "leave one of the rows out; of two files of that name, write the folders, too",
        "list every image and category",
        "list every image of the data, by its path ...",
        "name the categories by the labels: <labels>",
        "number the images by their row in the .npz, ...",
        "write a cell for each title; a cell with a ...",
        "write each image's path, relative to the ...",
        "write numbers with a decimal point; classes ...",
        "write one row a sample, in their order",
        "write the output's name into the first row; ...",
    ),
    "builds/test_truth_remedies.py::test_truth_that_does_not_fit_does_after_the_next_step": (
        "give one identity a sample: a number",
        "give the output's own shape",
        "leave those samples out of the data",
        "number the classes from 0, in the order of the channels; ...",
        "save class, left, top, right and bottom of ...",
        "save one class number a pixel",
    ),
    "builds/test_gate.py::test_a_ruined_float16_file_is_refused": (
        'try scheme = "float32": a weight of the model ...',
    ),
    "builds/test_gate.py::test_a_ruined_int8_file_is_refused_the_old_bundle_stays_and_the_remedy_works": (
        "check that the representative data looks ...",
    ),
    "builds/test_gate.py::test_a_second_normalization_is_refused_before_anything_is_converted": (
        "leave mean and std out of that [[inputs]]; ...",
    ),
    "builds/test_gate.py::test_int8_names_an_output_that_its_data_does_not_move": (
        "give calibration data in which it changes; ...",
    ),
    "builds/test_gate_remedies.py::test_a_file_that_is_too_large_is_made_smaller_or_allowed": (
        "train a smaller model, or allow more bytes: [checks] max_bytes",
        "try [quantize] scheme = <smaller>",
    ),
    "builds/test_gate_remedies.py::test_labels_in_another_order_are_put_right_or_the_gate_is_left_out": (
        "look, the likeliest first: <listed>. Or, ...",
    ),
    "builds/test_gate_remedies.py::test_weights_of_8_bits_that_lose_too_much_are_float16_after_the_next_step": (
        'try scheme = "float16"',
    ),
    "builds/test_gate_remedies.py::test_what_float32_kernels_differ_by_is_allowed": (
        "allow what float32 kernels differ by, in [checks]; ...",
    ),
    "builds/test_host_remedies.py::test_the_next_step_gets_past_the_refusal": (
        "add y: one class number for each sample",
        "give a .npz file or a folder of images",
        "give a text file in UTF-8, one label a line",
        "give one label a line, in the order of the model's classes",
        "give representative = 'samples.npz' or a ...",
        "give the shape without the batch axis, or leave it out",
        "leave color out",
        "leave structure out",
        "move it into the folder of its label",
        "name the folders by the labels: <labels>",
        "put <sorted> files there",
        "replace or remove that file",
        "save it again: numpy.savez(name, **arrays)",
        "save one array [N, ...] for each input, by the input's name",
        "save pixels as uint8 (normalized for you), ...",
        "write one label a line, and none of them blank",
    ),
    "builds/test_host_remedies.py::test_values_on_the_command_line": (
        "give a number of seconds above 0",
        "give one such as 2.19.1, or auto: the newest",
        "write 512m or 8g",
    ),
    "builds/test_host_remedies.py::test_weights_beyond_what_a_file_can_be_are_taken_in_fewer_bits": (
        'use [quantize] scheme = "float16", ...',
    ),
    "builds/test_measure.py::test_y_without_classes_or_of_another_length_is_refused": (
        "give one class number a sample",
        "number the classes from 0, in the order of the labels",
        "say which: [[outputs]] name = ... kind = ...",
    ),
    "builds/test_refusals.py::test_a_conversion_that_takes_too_long_is_ended": (
        "give it more time, as in --timeout 7200<less>",
    ),
    "builds/test_refusals.py::test_a_job_with_too_little_memory_is_given_more": (
        "give it more memory, as in --memory 16g<held>",
        "give it more, as in --memory 16g; or fewer ...",
    ),
    "builds/test_refusals.py::test_a_model_that_crashes_its_process_names_the_cause_and_the_log": (
        "replace <layer> in the model, and save it again",
    ),
    "builds/test_audio_inputs.py::test_a_file_that_takes_something_else_than_sound_is_refused": (
        "give shape = <list>, and leave window out",
        'use kind = "tensor": this model takes the samples ...',
    ),
    "builds/test_audio_inputs.py::test_a_place_without_sounds_says_what_belongs_there": (
        "give a .npz file or a folder of .wav files",
    ),
    "builds/test_audio_inputs.py::test_arrays_that_are_no_sounds_are_refused": ("save PCM as int16, or floats ...",),
    "builds/test_audio_inputs.py::test_files_that_are_no_sounds_are_refused_by_name": ("convert it: ffmpeg ...",),
    "builds/test_audio_inputs.py::test_what_is_no_window_is_refused_and_taken_after_the_next_step": (
        "add window = 16000: samples, not seconds",
        "give a hop from 1 to <window>",
        "leave window out",
    ),
    "builds/test_text_inputs.py::test_a_saved_model_has_no_layers_to_read": ("save the model as .keras: ...",),
    "builds/test_text_inputs.py::test_arrays_that_are_no_row_of_texts_are_refused": (
        "save texts as an array [N]: ...",
    ),
    "builds/test_text_inputs.py::test_files_that_do_not_keep_what_adapt_learns_are_refused": (
        "save the model as .keras; or save it with a ...",
    ),
    "builds/test_text_inputs.py::test_files_without_texts_are_refused_and_taken_after_the_next_step": (
        "give a .npz, .csv or .txt file, or a folder of .txt files",
        "save it in UTF-8: one text a line in .txt, ...",
        "write class numbers from 0, or labels: <labels>",
        "write the inputs' names (<names>), ...",
    ),
    "builds/test_text_inputs.py::test_layers_of_joined_models_begin_with_their_file": ("write '<stems>/<name>'",),
    "builds/test_text_inputs.py::test_what_no_app_repeats_is_refused_and_taken_after_the_next_step": (
        "give shape = [length], or leave it out",
        "name the layer: <texts>",
        "save it with a vocabulary of its own: ...",
        'use kind = "tensor", and feed what the layer gives',
    ),
    "builds/test_verify.py::test_each_next_step_of_verify_is_followed": (
        "build it anew and look at what changed: kit diff A B",
        "name the model that the bundle was made of: ...",
        "restore the bundle and move other files out ...",
    ),
    "bundle/test_bundle_is_data.py::test_a_package_that_was_looked_at_is_allowed": (
        "a package runs code: look at it, and allow it with --allow-code",
    ),
    "bundle/test_bundle_is_data.py::test_android_runs_no_code_that_this_kit_would_not_write": (
        "build the bundle again; or look at its code, ...",
    ),
    "bundle/test_bundle_remedies.py::test_a_bundle_whose_manifest_is_lost_is_cleared_away_by_hand": (
        "move what is yours out of it, remove the ...",
    ),
    "bundle/test_bundle_remedies.py::test_a_file_of_the_users_own_is_moved_out": (
        "move them to another folder, or choose another one with --out",
        "move those files to another folder",
    ),
    "bundle/test_bundle_remedies.py::test_a_folder_of_something_else_is_left_and_the_bundle_goes_elsewhere": (
        "choose another folder with --out, or another [model] id, or remove it",
    ),
    "bundle/test_bundle_remedies.py::test_a_folder_that_is_no_bundle_has_to_name_one": (
        "name a folder that `build` wrote",
    ),
    "bundle/test_bundle_remedies.py::test_a_place_with_a_damaged_bundle_takes_the_one_that_is_built_again": (
        "build it again",
    ),
    "bundle/test_bundle_remedies.py::test_the_models_of_a_bundle_are_named_as_the_next_step_has_it": (
        "name each in its order: <name>",
        "name it with --model",
        "name it: <each>",
    ),
    "bundle/test_benchmark.py::test_a_benchmark_has_starts_calls_and_memory_and_of_another_bundle_the_ratio": (
        "add --benchmark",
    ),
    "bundle/test_benchmark.py::test_a_number_of_threads_that_no_machine_has_is_refused_and_one_that_it_has_is_taken": (
        "give one, such as 4, or leave it out",
    ),
    "bundle/test_beside_float.py::test_a_bundle_beside_its_float32_bundle_by_the_next_step_that_is_printed": (
        "build it: kit build RECIPE --scheme float32 --out float, ...",
    ),
    "bundle/test_beside_float.py::test_a_signature_without_golden_vectors_needs_files": ("give files: -- FILES",),
    "bundle/test_beside_float.py::test_what_a_comparison_does_not_do_is_refused_with_what_to_do": (
        "save it as a file, and name that",
    ),
    "bundle/test_beside_float.py::test_what_a_profile_does_not_do_is_refused_with_what_to_do": (
        "kit build RECIPE --scheme float32 --out float, then ...",
        "name one of them",
    ),
    "bundle/test_beside_float.py::test_what_does_not_fit_a_bundle_is_refused_once_it_is_tried": (
        "give files that the model takes",
        "name the float32 bundle of the same model",
        "name the float32 bundle of the same model: kit build ...",
    ),
    "bundle/test_benchmark.py::test_with_a_file_it_times_a_call_on_it_as_the_harness_does": ("leave <given> out",),
    "bundle/test_benchmark.py::test_bundles_of_two_runtimes_are_compared_on_one_that_is_named": (
        "name one for all: --runtime <runtimes>",
    ),
    "bundle/test_emulate_model_file.py::test_a_model_file_without_files_says_that_it_has_no_golden_vectors": (
        "give files: kit emulate <name> -- FILES; or build a bundle of it",
    ),
    "bundle/test_emulate_model_file.py::test_a_signature_of_texts_is_left_out_and_without_another_the_file_is_refused": (
        "convert it with a signature that takes and gives numbers",
    ),
    "bundle/test_emulate_model_file.py::test_empty_stdin_is_refused_and_a_file_that_is_piped_is_run": (
        "pipe a file into it: emulate.py - < seven.png",
    ),
    "bundle/test_emulate_model_file.py::test_labels_without_files_or_that_are_not_there_are_refused": (
        "give files: -- FILES",
    ),
    "bundle/test_emulate_model_file.py::test_more_than_a_file_through_stdin_is_refused": ("name the file",),
    "bundle/test_emulate_model_file.py::test_outputs_that_cannot_be_saved_are_one_clear_line": (
        "give INPUTs of one size",
        "name a file that can be written: --save-outputs FILE.npz",
    ),
    "bundle/test_emulate_model_file.py::test_rows_are_of_files_by_name_or_in_the_order_of_the_samples": (
        "leave the column file out, and write one row a sample, in their order",
        "leave those files out, or name each row's file in a column `file`",
    ),
    "bundle/test_emulate_model_file.py::test_truth_that_does_not_fit_is_refused_with_what_to_do": (
        "give a .csv or an .npz, COCO JSON for boxes, or a folder of PNG files for masks",
        "name a column as the output, or y; or an array y/ and the output's name",
    ),
    "bundle/test_emulate_truth.py::test_columns_of_an_output_are_in_the_order_of_their_numbers_without_a_hole": (
        "give each column of an output its own number, from 0 or from 1 on without a hole",
    ),
    "bundle/test_emulate_truth.py::test_a_file_without_a_row_is_named_as_given_and_its_path_may_be_written": (
        "write it into <column>: as it is given, as a ...",
    ),
    "bundle/test_emulate_truth.py::test_a_last_part_that_fits_two_files_is_refused_until_the_folders_are_written": (
        "write one <entry> for each of them, with the folder in <column>",
    ),
    "bundle/test_emulate_truth.py::test_a_mask_of_two_files_is_refused_and_each_folder_has_its_own": (
        "run the files of each folder alone, with a folder of their masks",
    ),
    "bundle/test_emulate_truth.py::test_an_empty_name_is_refused_and_not_taken_for_none": (
        "name the file or folder of the truth, or leave --labels out",
    ),
    "bundle/test_emulate_truth.py::test_arrays_that_are_no_real_numbers_are_refused": (
        "save one sample a row as real numbers; labels of ...",
    ),
    "bundle/test_emulate_truth.py::test_two_rows_of_a_file_are_refused_where_they_differ": (
        "leave one of these <entry>s out",
    ),
    "bundle/test_emulate_runtimes.py::test_a_bundle_that_another_runtime_does_not_run_as_built_is_refused": (
        "remove <name> from also; or <hint>",
    ),
    "bundle/test_emulate_runtimes.py::test_an_operator_that_another_runtime_lacks_is_refused_before_anything_runs": (
        "build it without these operators",
    ),
    "bundle/test_emulate_runtimes.py::test_files_do_not_go_with_all_runtimes": (
        "leave <what> out, or name one runtime",
    ),
    "bundle/test_emulate_runtimes.py::test_the_apps_own_runtime_is_the_judge": (
        "name a runtime that runs it: [android] runtime; or take another [quantize] scheme",
    ),
    "bundle/test_emulate_signatures.py::test_a_benchmark_of_a_signature_without_vectors_is_given_an_input": (
        "give an INPUT",
    ),
    "bundle/test_emulate_signatures.py::test_a_bundle_without_variables_says_so": ("leave <asked> out",),
    "bundle/test_emulate_signatures.py::test_a_model_with_operators_of_tensorflow_is_refused_and_they_are_named": (
        "run it in an app that links select-tf-ops, ...",
    ),
    "bundle/test_emulate_signatures.py::test_a_runtime_that_ends_on_variables_is_reported_as_that": (
        "name a newer runtime: --runtime litert:1.1.2, ...",
    ),
    "bundle/test_emulate_signatures.py::test_a_size_that_the_model_cannot_take_is_exchanged_for_another": (
        "give another size, or build the bundle again<OR_INSTALL>",
    ),
    "bundle/test_emulate_signatures.py::test_a_state_that_cannot_be_written_leaves_nothing_behind": (
        "name another place",
    ),
    "bundle/test_emulate_signatures.py::test_a_state_that_does_not_fit_is_refused_in_one_line": (
        "--save writes such a file, --variables lists what is in it",
    ),
    "bundle/test_emulate_signatures.py::test_an_interpreter_that_crashes_is_an_error_with_its_signal": (
        "give inputs of another size, or run it on ...",
    ),
    "bundle/test_emulate_signatures.py::test_inputs_go_through_the_signature_that_is_asked_for": ("there is: <known>",),
    "bundle/test_harness_remedies.py::test_a_damaged_bundle_runs_when_it_is_copied_again": (
        "copy the bundle again, or build it again",
    ),
    "bundle/test_emulate_files.py::test_the_kit_writes_nothing_into_a_bundle": ("name a file in another place",),
    "bundle/test_emulate_files.py::test_outputs_are_written_over_no_input_and_no_file_of_the_bundle": (
        "name a file in another place",
        "name another file",
    ),
    "bundle/test_emulate_files.py::test_a_float_model_beside_files_needs_a_word_more": ("add --compare, or --profile",),
    "bundle/test_emulate_files.py::test_a_pipe_is_refused_without_waiting_for_its_writer": (
        "send it through stdin: - for the INPUT",
    ),
    "bundle/test_harness_remedies.py::test_a_file_that_is_no_model_runs_when_the_bundle_is_built_again": (
        "build the bundle again<OR_INSTALL>",
    ),
    "bundle/test_harness_remedies.py::test_a_folder_without_files_to_read_is_exchanged_for_one_that_has_them": (
        "name a folder that has such files",
    ),
    "bundle/test_harness_remedies.py::test_a_name_that_is_not_there_is_checked": ("check the name",),
    "bundle/test_harness_remedies.py::test_a_package_that_is_missing_is_there_after_the_command_that_is_printed": (
        "run: <INSTALL>",
        "run: <install>",
    ),
    "bundle/test_harness_remedies.py::test_a_report_that_fills_a_disk_is_sent_elsewhere": (
        "send the output elsewhere",
    ),
    "bundle/test_harness_remedies.py::test_an_input_is_taken_as_help_has_it": (
        "emulate.py --help has what an INPUT may be",
    ),
    "bundle/test_harness_remedies.py::test_an_option_is_taken_as_help_has_it": ("emulate.py --help shows the options",),
    "bundle/test_metadata.py::test_a_file_with_what_is_newer_than_the_pinned_versions_is_converted_by_one_of_them": (
        "convert it with a TensorFlow that `kit toolchains` lists",
    ),
    "engine/test_container_client.py::test_connect_raises_the_reason_with_a_way_out": (
        "start the container engine, or build with --engine local",
    ),
    "engine/test_engine_run.py::test_a_job_that_leaves_too_much_is_taken_with_fewer_samples": (
        "a job may leave <MOST_OUT> GB in <MOST_OUT_FILES> ...",
    ),
    "engine/test_docker_engine.py::test_a_folder_that_the_engine_does_not_see_is_named_until_it_does": (
        "set TMPDIR to a folder that it shares, such as ~/tmp ...",
    ),
    "engine/test_image_platform.py::test_a_platform_that_is_not_known_is_refused": ("there is: <PLATFORMS>",),
    "engine/test_image_platform.py::test_its_file_is_loaded_for_its_own_platform_alone": (
        "export that one: `kit image <asked_as> ...",
    ),
    "engine/test_image_pins.py::test_an_export_over_a_folder_is_refused": ("name a file: --export FILE.tar",),
    "engine/test_image_pins.py::test_an_exported_image_is_used_without_building": (
        "name a file that `kit image V --export FILE` wrote",
        "load it by its name: `kit image <asked_as> ...",
    ),
    "engine/test_image_pins.py::test_an_exported_image_with_one_bit_changed_is_refused_with_the_reason": (
        "copy it again, or export it again with the same version of the kit",
    ),
    "engine/test_image_pins.py::test_flags_that_do_not_go_together_are_refused_and_one_of_them_goes": (
        "leave the others out: `kit image V --export FILE`",
    ),
    "engine/test_network_remedies.py::test_a_lock_is_made_from_the_index_that_uv_is_given": (
        "check the network, and the index that $UV_DEFAULT_INDEX names: ...",
    ),
    "engine/test_network_remedies.py::test_a_python_that_cannot_be_fetched_is_put_on_the_path": (
        "check the network, or put Python <python> on the PATH",
    ),
    "engine/test_network_remedies.py::test_a_registry_that_is_away_or_another_is_exchanged_in_npms_settings": (
        "check the network and npm's registry settings: ...",
    ),
    "engine/test_network_remedies.py::test_an_index_that_is_away_or_another_is_exchanged_in_pips_settings": (
        "check the network and pip's index settings (`python -m pip config list`), ...",
    ),
    "engine/test_package_remedies.py::test_a_base_of_the_user_s_is_left_for_the_pinned_one": (
        "take the pinned base: unset DROPKIT_BASE",
    ),
    "engine/test_package_remedies.py::test_a_base_that_no_registry_gives_is_made_of_debian_packages": (
        "check the network and `docker login`, or set DROPKIT_BASE=debian",
        "set DROPKIT_BASE=debian: that base comes from ...",
    ),
    "engine/test_package_remedies.py::test_a_base_whose_layer_was_changed_is_taken_when_the_engine_has_it_anew": (
        "remove that image and run it again",
    ),
    "engine/test_package_remedies.py::test_a_layer_that_became_shorter_is_written_by_another_run": ("run it again",),
    "engine/test_package_remedies.py::test_a_lock_of_debian_packages_is_read_when_it_is_restored": (
        "install dropkit again",
        "restore the file from version control, or regenerate ...",
    ),
    "engine/test_package_remedies.py::test_a_machine_without_a_mirror_takes_the_one_that_is_named": (
        "set DROPKIT_DEBIAN_MIRROR to any Debian mirror's ...",
    ),
    "engine/test_package_remedies.py::test_a_mirror_with_other_content_is_exchanged_for_another": (
        "check the network and proxy, or set DROPKIT_DEBIAN_MIRROR ...",
    ),
    "engine/test_package_remedies.py::test_a_pin_of_another_lock_fits_when_the_lock_is_restored": (
        "restore the file from version control; after ...",
    ),
    "engine/test_package_remedies.py::test_a_toolchain_without_a_pin_is_pinned": (
        "`inv image V --pin` pins it (for maintainers)",
    ),
    "engine/test_package_remedies.py::test_a_wheel_is_taken_when_it_was_deleted_and_is_there_again": (
        "delete it and run it again",
        "delete it from the cache",
        "delete the file from the cache and run it again",
        "the package is not what it should be: delete ...",
    ),
    "engine/test_package_remedies.py::test_a_word_for_no_base_is_exchanged_for_each_of_those_there_are": (
        "set it to auto, registry, debian or an image ...",
    ),
    "engine/test_package_remedies.py::test_an_engine_on_another_machine_is_exchanged_for_one_on_a_known_one": (
        "use an engine on x86_64 or aarch64",
    ),
    "engine/test_package_remedies.py::test_an_engine_that_breaks_is_left_for_the_local_one": (
        "see `docker info`, or build with --engine local",
    ),
    "engine/test_package_remedies.py::test_an_engine_without_space_takes_and_gives_an_image_when_its_disk_has_some": (
        "give its disk more space: `docker system df` shows what is taken",
        "see `docker info`, and whether the disk has space for the image",
    ),
    "engine/test_package_remedies.py::test_an_image_s_pin_is_read_when_it_is_restored": (
        "restore the file from version control, or run `inv image V --pin`",
    ),
    "engine/test_package_remedies.py::test_an_image_that_is_in_the_way_of_a_tag_is_removed": (
        "remove it: docker image rm <tag>",
    ),
    "engine/test_package_remedies.py::test_an_image_that_is_not_the_pinned_one_leaves_the_local_engine": (
        "every download has its locked digest, so ...",
        "the packages are right, their byte-code is ...",
    ),
    "engine/test_package_remedies.py::test_byte_code_out_of_its_place_is_compiled_again": (
        "delete the image's cache and run it again",
    ),
    "engine/test_package_remedies.py::test_locks_are_made_from_another_mirror_where_one_is_not_whole": (
        "check the network and proxy",
        "set DROPKIT_DEBIAN_MIRROR to another mirror's address",
    ),
    "engine/test_package_remedies.py::test_packages_that_share_a_path_do_not_after_another_lock": (
        "two pinned packages do not go together: `inv lock` makes a new lock",
    ),
    "engine/test_package_remedies.py::test_without_an_engine_the_local_one_is_there": (
        "start a Docker engine, or build with --engine local",
    ),
    "engine/test_places.py::test_a_temporary_folder_that_tensorflow_cannot_use_is_exchanged_for_another": (
        "set <variable> to another folder",
    ),
    "engine/test_places.py::test_a_user_without_a_home_names_a_cache": ("set DROPKIT_CACHE to a folder",),
    "engine/test_space_remedies.py::test_a_cache_that_cannot_be_written_is_moved": (
        "set DROPKIT_CACHE to a folder with space",
    ),
    "engine/test_space_remedies.py::test_a_cache_without_space_is_moved": (
        "free some space, or set DROPKIT_CACHE to a folder with more",
    ),
    "engine/test_space_remedies.py::test_a_disk_that_an_installer_fills_is_left_by_both_variables": (
        "free some space; DROPKIT_CACHE moves the ...",
    ),
    "engine/test_space_remedies.py::test_a_full_temporary_folder_is_exchanged_for_another": (
        "free some space there, or set TMPDIR to another folder",
    ),
    "engine/test_space_remedies.py::test_a_place_that_refuses_is_exchanged_for_one_that_takes": (
        "change its permissions, or choose another with --out",
        "choose a shorter one",
        "choose another folder with --out",
        "free some space, or choose another folder with --out",
    ),
    "engine/test_space_remedies.py::test_what_clean_does_not_find_is_named_as_it_lists_it": (
        "`kit clean` lists what is there",
    ),
    "matrix/test_matrix.py::test_a_version_that_is_not_pinned_is_a_usage_error_before_anything_runs": (
        "give all, or some of: <known>",
        "give all, or versions",
    ),
    "matrix/test_matrix.py::test_the_other_words_of_the_command_line_are_taken_after_the_next_step": (
        "give 1 or more, or leave it out",
        "there is: auto, docker, local",
    ),
    "project/test_package.py::test_a_command_for_a_checkout_runs_in_one": ("clone the repository, and run it there",),
    "recipe/test_recipe.py::test_another_scheme_from_the_command_line_leaves_what_belongs_to_the_recipe_s_own": (
        "give another scheme",
    ),
    "recipe/test_recipe_remedies.py::test_a_path_that_is_no_recipe_is_mended_by_naming_one": (
        "name a recipe.toml file",
    ),
    "recipe/test_recipe_remedies.py::test_a_recipe_is_read_after_the_next_step": (
        "add it; docs/recipe.md has every key",
        "correct that place; docs/recipe.md has every key",
        "correct that place; https://toml.io has the rules",
        "docs/recipe.md has every key and rule",
    ),
    "source_model/test_file_remedies.py::test_a_file_is_read_after_the_next_step": (
        "copy or export it again",
        "copy or save it again",
        "give its structure: [model] structure = 'model.json', ...",
        "name a .keras, .h5, .npz or .tflite file",
        "name a bundle or a file",
        "name a model file or a SavedModel",
        "quote the pattern; there is, among others: <near>",
        "save the whole model again: model.save('name.keras')",
        "write it with model.to_json()",
    ),
    "source_model/test_file_remedies.py::test_a_tflite_file_is_read_after_the_next_step": (
        "check its path and its permissions",
        "copy or convert it again",
        "name a .tflite file",
        "name a file that a converter wrote",
    ),
    "source_model/test_file_remedies.py::test_the_weights_of_a_saved_model_are_read_where_freeze_wrote_them": (
        "`kit freeze RECIPE` writes them to weights.npz",
    ),
    "tflite_file/test_fit.py::test_dynamic_range_is_refused_for_just_the_runtimes_that_refuse_it": (
        "<other>another [quantize] scheme or an older ...",
    ),
    "toolchains/test_toolchains.py::test_a_damaged_lock_is_read_when_it_is_restored": (
        "restore it from version control, or install dropkit again",
        "restore it from version control, or run `inv lock`",
    ),
    "toolchains/test_toolchains.py::test_a_file_that_no_toolchain_loads_says_how_to_save_it": (
        "load it with the Keras that wrote it, and ...",
    ),
    "toolchains/test_toolchains.py::test_a_machine_without_a_lock_is_shown_where_it_runs": (
        "it runs on <LOCKS>: use a container there",
    ),
    "toolchains/test_toolchains.py::test_a_runtime_that_cannot_be_asked_is_made_again": (
        "delete that venv and run `inv bench --operators` again",
    ),
    "toolchains/test_toolchains.py::test_a_version_that_cannot_load_the_file_names_one_that_can": (
        'set [toolchain] tensorflow = "<tensorflow>" or ...',
    ),
    "toolchains/test_toolchains.py::test_a_version_that_is_not_pinned_is_a_fault_of_the_recipe": (
        "did you mean '<near>'? there is: <known>",
    ),
    "worker/test_code_forms.py::test_a_layer_of_tensorflows_private_keras_says_what_to_import": (
        "'<name>' in [model] code is of tensorflow.python.keras, ...",
    ),
    "worker/test_code_forms.py::test_a_module_that_no_toolchain_has_is_reported_with_what_there_is": (
        "<missing> is not in the toolchain, which ...",
    ),
    "worker/test_code_forms.py::test_beside_a_file_of_keras_3_code_for_one_of_keras_2_imports_tf_keras": (
        "'<name>' in [model] code is a class of <pop>, ...",
    ),
    "worker/test_contract.py::test_allowed_flex_ops_are_named_in_the_bundle": (
        "it needs TensorFlow's own kernels, and the ...",
    ),
    "worker/test_contract.py::test_ids_that_the_model_takes_as_floats_are_not_quantized": (
        "let the app feed whole numbers: [[inputs]] ...",
    ),
    "worker/test_converter_faults.py::test_the_next_step_gets_past_a_fault_of_a_converter": (
        "give the sizes in the recipe: [[inputs]] shape, [model] batch",
        "take another TensorFlow version, by --tensorflow: `kit toolchains` lists them",
        'take another TensorFlow version, by --tensorflow: `kit toolchains` lists them; or [quantize] scheme = "dynamic" ...',
        'take another TensorFlow version, by --tensorflow: `kit toolchains` lists them; or [quantize] scheme = "float32" ...',
        "take another TensorFlow version, by --tensorflow: `kit toolchains` lists them; or end the file ...",
    ),
    "worker/test_loading.py::test_a_function_that_is_not_even_in_the_file_is_given_as_the_next_step_has_it": (
        "layer '<layer>' has a function without a name, of ...",
    ),
    "worker/test_loading.py::test_a_layer_in_a_loop_gives_no_output": ("name the layer around it",),
    "worker/test_loading.py::test_a_layer_of_another_framework_says_what_to_build": (
        "a <found> is <whose>'s own code: build that ...",
    ),
    "worker/test_loading.py::test_a_spectrogram_has_its_window_from_its_weights": (
        "STFTSpectrogram(..., window=None): its weights hold the window",
    ),
    "worker/test_loading.py::test_a_subclassed_model_of_several_tensors_takes_their_shapes_from_the_recipe": (
        "give each as [[inputs]] with name and shape; ...",
    ),
    "worker/test_loading.py::test_a_subclassed_model_that_cannot_be_called_with_the_recipes_shapes": (
        "give each tensor of its call, in its order, ...",
        "give the shape that the model was trained ...",
    ),
    "worker/test_loading.py::test_a_tensor_in_a_loop_or_nowhere_gives_no_output": ("name the operation around it",),
    "worker/test_loading.py::test_an_error_in_the_code_names_its_line_and_corrected_it_runs": (
        "correct <CODE>",
        "give the model's own classes and functions ...",
        "write CUSTOM_OBJECTS = {'MyLayer': MyLayer}",
        "write it as a function: def build_model(): return model",
    ),
    "worker/test_loading.py::test_byte_code_of_another_python_is_refused_with_what_to_write": (
        "give it in [model] code: <_given>",
    ),
    "worker/test_loading.py::test_byte_code_that_misses_a_name_says_which_and_what_to_write": (
        "give that name in [model] code: <given>; ...",
    ),
    "worker/test_loading.py::test_code_is_never_run_where_it_may_not": (
        "build in a container, or set [model] allow_code = true",
    ),
    "worker/test_loading.py::test_code_that_builds_no_model_is_refused": (
        "import keras in the code (it is the right ...",
    ),
    "worker/test_loading.py::test_one_name_for_two_functions_is_refused": (
        "give each by its layer: CUSTOM_OBJECTS = {'<own>': ...}",
    ),
    "worker/test_loading.py::test_weights_alone_without_a_structure_say_what_to_give": (
        "give it: [model] structure = 'model.json', ...",
    ),
    "worker/test_loading.py::test_weights_of_another_model_are_refused": (
        "give the structure that they were saved with",
    ),
    "worker/test_loading.py::test_what_keras_3_quantized_and_cannot_load_says_what_to_save": (
        "save the model before model.quantize(), and ...",
    ),
    "worker/test_loading.py::test_without_its_code_such_a_model_says_what_to_give": (
        "give it in [model] code: CUSTOM_OBJECTS = {'<name>': <name>}",
    ),
    "worker/test_loading_builds.py::test_code_runs_in_the_local_engine_only_where_the_recipe_says_so": (
        "build it in a container (--engine docker), or trust it: <trust>",
    ),
    "worker/test_loading_builds.py::test_code_that_ends_the_process_is_corrected_at_its_line": (
        "correct <code>: the process ends there",
    ),
    "worker/test_messages.py::test_the_next_step_gets_past_the_failure": (
        "calculate with TensorFlow's or keras.ops' operations ...",
        "define or import '<value>' in [model] code",
        "did you mean '<name>'? there is: <names>",
        "feed ids that lie in the table: correct the ...",
        'fix it in the recipe: [[inputs]] name = "<name>" ...',
        "give values that pass it: [checks] data, ...",
        "keep the number of samples open in that reshape, ...",
        "let TensorFlow choose: tf.where or tf.cond ...",
        "make it in the layer's build(), by self.add_weight(...), ...",
        "replace the layer that uses it by one that ...",
        "write that step with TensorFlow's operations, not ...",
    ),
    "worker/test_next_steps.py::test_a_job_ends_well_after_the_next_step": (
        "TensorFlow <written> wrote it: take that ...",
        "a stream can have recurrent layers that run ...",
        "add it there, or remove it here; there is: <order>",
        "add the arrays <names>; or choose signatures: [model] signatures",
        "add them: it is the order of all inputs, ...",
        "build recurrent layers with unroll=False; or ...",
        "build the layer without initial_state, and ...",
        "build the model with forward layers alone ...",
        "choose others: [model] signatures = <useful>",
        'choose the one that takes a sequence: [model] signatures = ["<key>"]',
        "correct [model] code",
        "correct the data: ids have to lie in the ...",
        "do the lookup in the app and feed ids<instead>",
        "do the lookup in the app and read ids<instead>",
        "export the model with a function of its inputs",
        "export the model with a signature of numbers alone",
        "feed ids: turn text into numbers in the app, before the model",
        'fix it: [[inputs]] name = "<left>" and shape ...',
        "give [model] batch = 1, or leave it out; ...",
        "give [quantize] representative; a model that ...",
        "give a checkpoint from before that; or, where ...",
        "give all the same length: [[inputs]] shape; ...",
        "give an array of shape [N, ...]",
        "give an array of shape [N, ...] with one sample a row",
        "give data in the range that the model was ...",
        "give it a shape in the tf.TensorSpec that the SavedModel is saved with",
        "give one another name: [[<table>]] name, source",
        "give the outputs of the one the names of ...",
        "give whole numbers in its range",
        "it runs Python code on load: let that code ...",
        "keep it as a variable: [variables] keep = ...",
        "keep only variables that come after it, such ...",
        "keep variables of layers that it depends ...",
        "layer '<layer>' has a function without a name, stored ...",
        "leave [model] batch out: one sample in each call",
        "leave [model] streaming out",
        "leave [model] streaming out: the file then takes whole sequences",
        "leave [variables.train] out",
        "leave batch out, or build the model again without a fixed batch",
        "leave dtype out",
        "leave fused_lstm out: the steps of other ...",
        'leave io out, or write io = "float32": what ...',
        "leave it out: [model] outputs",
        "leave streaming out and keep that state: [variables] keep",
        "leave those samples out, as in array[numpy.isfinite(array).reshape(len(array), ...",
        "let that code run: in a container (--engine ...",
        "name a layer behind it, which gives numbers",
        "name a layer on the way to the outputs, or remove that [[inputs]]",
        "name a layer that runs once on the way to the outputs",
        "name a layer that the outputs depend on: ...",
        "name one from '<layer>' to '<layer>:<found>'",
        "name one from '<name>' to '<name>:<flat>'",
        'name one: [model] signatures = ["<key>"]; or leave fused_lstm out',
        "name the layer before it, or one behind those that use the mask",
        "name the outputs to take without it: [model] outputs",
        "name the weights alone: keep = ['layer/kernel', 'layer/bias']",
        "save a model with fewer models inside models",
        "save an array of that name, too; there is: <given>",
        "save it again with the code that trained ...",
        "save it with signatures=, or a Keras model by model.export(folder)",
        "save one of them again, so that it gives ...",
        "save the model without that; or trust it with what this user may do: <trust>",
        "save the model without that; or trust it with what this user may do: [model] ...",
        'say it: [[inputs]] name = "<name>" and shape ...',
        "say what its inputs hold: [[inputs]] range ...",
        "say what the inputs hold: [[inputs]] range ...",
        "take outputs that lie before it: [model] ...",
        "the model makes variables of its own inside ...",
        "try a smaller [variables.train] learning_rate",
        'use kind = "tensor": this model takes the values as they are',
        'use scheme = "dynamic": 8-bit weights, and ...',
        'use scheme = "float32", "float16" or "dynamic", or train it for 8 bits',
        'use scheme = "float32", "float16" or "dynamic"; ...',
        "write that step with TensorFlow's operations, or do it in the app",
    ),
    "worker/test_qat.py::test_a_configuration_of_the_users_own_is_named_and_its_saved_model_builds": (
        "save it as a SavedModel with the code that ...",
    ),
    "worker/test_qat.py::test_a_part_that_was_not_trained_needs_data_and_is_named": (
        "give data to measure those on: [quantize] ...",
    ),
    "worker/test_qat.py::test_a_wrapper_with_other_variables_is_saved_in_the_other_format": (
        "save it again with tfmot 0.8 and Keras 2.12 or newer, as .h5",
    ),
    "worker/test_qat.py::test_clusters_around_an_lstm_are_stripped_with_tfmot": (
        "with the code that trained it, save tfmot.clustering.keras.strip_clustering(model) ...",
    ),
    "worker/test_qat.py::test_four_bits_are_eight_after_the_next_step": (
        "train it with tfmot's default scheme of 8 bits: quantize_apply(model)",
    ),
    "worker/test_recurrent.py::test_convolutions_over_time_are_refused_for_the_runtime_that_cannot_run_them": (
        "name another runtime: [android] runtime; or ...",
    ),
    "worker/test_state.py::test_an_open_length_whose_sizes_are_computed_is_refused_in_int8_and_the_remedies_build": (
        'give the axis a size: [[inputs]] name = "<name>" ...',
    ),
    "worker/test_state.py::test_one_bit_of_difference_between_two_calls_is_refused": (
        "give open axes a size ([[inputs]] shape), ...",
    ),
    "worker/test_trained_models.py::test_a_transform_of_a_length_that_no_kernel_has_is_refused_with_ways_out_that_build": (
        "build the model with fft_length = <length>, ...",
    ),
    "worker/test_trained_models.py::test_open_sizes_are_ones_that_the_model_takes": (
        "give sizes that it can take: [[inputs]] name ...",
    ),
    "worker/test_trained_models.py::test_text_is_refused_with_the_lines_that_build": (
        "start the file behind that layer, and let ...",
    ),
    "worker/test_variables.py::test_the_state_of_a_recurrent_layer_has_to_be_kept": (
        "keep it as a variable: [variables] keep, ...",
    ),
}

NOT_HERE: dict[str, tuple[str, ...]] = {
    "no pinned converter writes tables newer than the schema": ("keep them: [quantize] keep_names = true",),
    "it needs the model's own Python": ("export it with one: model.export(folder) of Keras",),
    "hostile code: the step is to stop": ("the model carries code that tries to reach ...",),
}
